"""Builds the two extensions; everything else about the package stands in pyproject.toml."""

from setuptools import Extension, setup

FLAGS = ["-std=c++17", "-O2", "-g", "-Wall", "-Wextra", "-fno-omit-frame-pointer", "-fvisibility=hidden"]

setup(
    ext_modules=[
        Extension(
            "storeprof.probe._recorder",
            sources=["native/recorder_module.cpp"],
            include_dirs=["include"],
            depends=["include/storeprof/profile.hpp"],
            extra_compile_args=FLAGS,
            language="c++",
        ),
        Extension(
            "storeprof.observe._observer",
            sources=["native/observer_module.cpp"],
            include_dirs=["include", "native"],
            extra_compile_args=FLAGS,
            language="c++",
        ),
    ]
)
