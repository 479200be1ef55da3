from tools import sizes


def function(lines: int) -> str:
    return "def f():\n" + "    pass\n" * (lines - 1)


def test_what_keeps_to_the_limits_is_not_mentioned():
    assert list(sizes.too_large(function(50) + "x = 1\n" * 350, "a.py")) == []


def test_a_function_of_51_lines_is_named_with_its_line():
    assert list(sizes.too_large("x = 1\n" + function(51), "a.py")) == ["a.py:2: f has 51 lines (at most 50)"]


def test_an_asynchronous_method_counts_too():
    source = "class C:\n    async def m(self):\n" + "        pass\n" * 50
    assert list(sizes.too_large(source, "a.py")) == ["a.py:2: m has 51 lines (at most 50)"]


def test_a_file_of_401_lines_is_named():
    assert list(sizes.too_large("x = 1\n" * 401, "a.py")) == ["a.py: 401 lines (at most 400)"]
