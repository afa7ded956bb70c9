"""What the program `named_operations.py` imports."""


def put(n):
    return sum(range(n))


def unused():
    pass


class Base:
    def get(self, n):
        return n


class Engine(Base):
    pass
