"""What a person can do about a failure that is known: one sentence for each, or none.

Facts in, a sentence out; nothing here looks at the computer. A rule reads the type of an
exception, the form of its message and the numbers of the system, which no language
changes, and never loose words: a wrong hint is worse than none.
"""
