import unittest

from spans import format_spans, parse_spans
from spans.text import ordinals


class ParseTest(unittest.TestCase):
    def test_numbers_and_ranges(self):
        self.assertEqual(parse_spans("1-3, 7,10-12"), [(1, 4), (7, 8), (10, 13)])

    def test_empty_parts(self):
        self.assertEqual(parse_spans(" ,5,"), [(5, 6)])

    def test_open_ranges(self):
        self.assertEqual(parse_spans("-3", 9), [(1, 4)])
        self.assertEqual(parse_spans("7-", 9), [(7, 10)])

    def test_a_range_of_one(self):
        self.assertEqual(parse_spans("4-4"), [(4, 5)])

    def test_an_end_is_needed(self):
        with self.assertRaises(ValueError):
            parse_spans("7-")

    def test_a_number_is_needed(self):
        with self.assertRaises(ValueError):
            parse_spans("-", 9)

    def test_the_wrong_order(self):
        with self.assertRaises(ValueError):
            parse_spans("5-4")


class FormatTest(unittest.TestCase):
    def test_numbers_and_ranges(self):
        self.assertEqual(format_spans([(10, 13), (1, 4), (7, 8)]), "1-3,7,10-12")

    def test_empty_spans_are_left_out(self):
        self.assertEqual(format_spans([(2, 2), (3, 5)]), "3-4")

    def test_separator(self):
        self.assertEqual(format_spans([(1, 2), (5, 6)], "; "), "1; 5")

    def test_what_is_written_is_read_again(self):
        spans = [(1, 2), (4, 9), (20, 22)]
        self.assertEqual(parse_spans(format_spans(spans)), spans)


class OrdinalsTest(unittest.TestCase):
    def test_endings(self):
        self.assertEqual(ordinals([1, 2, 3, 4, 21]), ["1st", "2nd", "3rd", "4th", "21st"])

    def test_teens(self):
        self.assertEqual(ordinals([11, 12, 13, 112]), ["11th", "12th", "13th", "112th"])
