"""`gather_pages`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values
from autograder.sandbox.script import Call, Let


def paged(rng, table, length, n_pages, page_size, d):
    return rng.normal(size=(n_pages, page_size, d)), np.array(table), length


def out_of_order(rng):
    return paged(rng, [4, 1, 3], 8, 6, 3, 2)


def going_down(rng):
    return paged(rng, [3, 2, 1, 0], 14, 5, 4, 3)


def as_many_pages_as_slots(rng):
    return paged(rng, [2, 0, 3], 7, 4, 3, 5)


def one_page(rng):
    return paged(rng, [2], 3, 3, 5, 4)


def pages_of_one_token(rng):
    return paged(rng, [5, 0, 3, 1], 4, 6, 1, 2)


def all_sizes_equal(rng):
    return paged(rng, [2, 0, 1], 8, 3, 3, 3)


def in_single_precision(rng):
    pages, table, length = paged(rng, [1, 4, 0], 9, 5, 4, 2)
    return pages.astype(np.float32), table, length


def in_half_precision(rng):
    pages, table, length = paged(rng, [3, 0], 3, 4, 2, 5)
    return pages.astype(np.float16), table, length


def a_page_shared_by_two_texts(rng):
    """Two texts with the same beginning: both tables name page 4 first."""
    pages, table, length = paged(rng, [4, 2], 5, 5, 3, 2)
    names = ("pages", "table", "length")
    return [
        *(Let(name, value) for name, value in zip(names, (pages, table, length), strict=True)),
        Let("table_other", np.array([4, 0])),
        Let("length_other", 4),
        Call("gather_pages", names),
        Call("gather_pages", ("pages", "table_other", "length_other")),
    ]


def a_page_named_twice(rng):
    return paged(rng, [1, 3, 1, 0], 11, 4, 3, 2)


def full_pages(rng):
    return paged(rng, [3, 0], 8, 4, 4, 3)


def one_token_in_the_last_page(rng):
    return paged(rng, [2, 3, 0], 7, 4, 3, 2)


def pages_in_reserve(rng):
    return paged(rng, [1, 4, 2, 3], 3, 5, 2, 3)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            out_of_order,
            going_down,
            as_many_pages_as_slots,
            one_page,
            pages_of_one_token,
            all_sizes_equal,
            in_single_precision,
            in_half_precision,
            a_page_shared_by_two_texts,
            a_page_named_twice,
        ),
        aspect("where it ends", 1, full_pages, one_token_in_the_last_page, pages_in_reserve),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: three tokens on pages 2 and 0",
            [[[5.0], [6.0]], [[7.0], [8.0]], [[3.0], [4.0]]],
            [2, 0],
            3,
        ),
        example(
            "seven tokens on pages 2, 0 and 3, three to a page",
            [
                [[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]],
                [[4.0, -4.0], [5.0, -5.0], [6.0, -6.0]],
                [[7.0, -7.0], [8.0, -8.0], [9.0, -9.0]],
                [[10.0, -10.0], [11.0, -11.0], [12.0, -12.0]],
            ],
            [2, 0, 3],
            7,
        ),
        example(
            "a page in reserve, and page 1 first",
            [[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]],
            [1, 2, 0],
            4,
        ),
        example(
            "two full pages",
            [[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]],
            [2, 0],
            4,
        ),
    ],
)
def gather_pages(pages, table, length):
    """The rows of one text, in order, from the pages that hold them.

        Token j is in slot j % page_size of page table[j // page_size].

    pages : (n_pages, page_size, d), the store of all texts; a page may belong to
        several texts, or to none
    table : (n_of_text,), whole numbers: the pages of this text, in the order of its
        tokens. There may be more of them than are needed yet.
    length : int, tokens in the text: from 1 to n_of_text · page_size
    Returns rows : (length, d)
    """
    return pages[table].reshape(-1, pages.shape[2])[:length]


@alternative(gather_pages)
def token_by_token(pages, table, length):
    rows = np.empty((length, pages.shape[2]))
    for t in range(length):
        page, slot = divmod(t, pages.shape[1])
        rows[t] = pages[table[page], slot]
    return rows


@alternative(gather_pages)
def indexed_at_once(pages, table, length):
    t = np.arange(length)
    return pages[np.asarray(table)[t // pages.shape[1]], t % pages.shape[1]]


@alternative(gather_pages)
def row_numbers_in_the_store(pages, table, length):
    size = pages.shape[1]
    rows = [page * size + slot for page in table for slot in range(size)]
    return np.take(np.concatenate(list(pages)), rows[:length], axis=0) if length else pages[0][:0]


@alternative(gather_pages)
def page_after_page(pages, table, length):
    found = np.zeros((0, pages.shape[2]))
    for page in table:
        found = np.vstack([found, pages[page][: max(0, length - len(found))]])
    return found


@misconception(
    gather_pages,
    hint="Pages lie where there was room. Which number in the table comes first, and where is it?",
)
def first_pages_of_the_store(pages, table, length):
    return np.concatenate(list(pages))[:length]


@misconception(
    gather_pages, hint="Does the order of the table matter in yours? Which page holds the oldest tokens?"
)
def pages_in_physical_order(pages, table, length):
    return np.concatenate(list(pages[np.sort(table)]))[:length]


@misconception(gather_pages, hint="How many rows did you return, and how many tokens has the text?")
def tail_kept(pages, table, length):
    return np.concatenate(list(pages[table]))


@misconception(
    gather_pages, hint="Seven tokens, three to a page: how many rows did you return? What of the last page?"
)
def last_page_dropped(pages, table, length):
    whole = length // pages.shape[1]
    return np.concatenate([pages[0][:0], *pages[table[:whole]]])


@misconception(gather_pages, hint="Token 1 is the neighbour of token 0: is it on the same page in yours?")
def divmod_swapped(pages, table, length):
    slots, places = np.divmod(np.arange(length), pages.shape[1])
    return pages[table[places], slots]


@misconception(
    gather_pages, hint="After the last row of the first page comes which page: the next in the store?"
)
def contiguous_from_the_first_page(pages, table, length):
    start = table[0] * pages.shape[1]
    return np.concatenate(list(pages))[start : start + length]


@misconception(gather_pages, hint="Does the table count pages from 0 or from 1? Which page is number 0?")
def pages_counted_from_one(pages, table, length):
    return np.concatenate(list(pages[table - 1]))[:length]


@misconception(
    gather_pages, hint="The last page is not full: at which end of your rows are the slots nobody wrote to?"
)
def trimmed_at_the_front(pages, table, length):
    rows = np.concatenate(list(pages[table]))
    return rows[len(rows) - length :]


@misconception(
    gather_pages,
    hint="When no slot of the last page is free, how many rows do you cut off, and how many are left?",
)
def cut_by_the_free_slots(pages, table, length):
    rows = np.concatenate(list(pages[table]))
    return rows[: -(len(rows) - length)]


@misconception(
    gather_pages,
    hint="Six tokens, three to a page: how many does your rule take from the second page?",
)
def full_last_page_lost(pages, table, length):
    size = pages.shape[1]
    before = (length - 1) // size
    return np.concatenate([*pages[table[:before]], pages[table[before]][: length % size]])


@misconception(
    gather_pages,
    hint="One page holds neighbours. Do yours come page by page, or the first slot of each page first?",
)
def slots_before_pages(pages, table, length):
    return np.swapaxes(pages[table], 0, 1).reshape(-1, pages.shape[2])[:length]
