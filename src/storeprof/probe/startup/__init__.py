"""A folder that goes in front of PYTHONPATH for `record --operation`; holds nothing but `sitecustomize.py`."""
