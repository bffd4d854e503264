namespace Voxbase.Cleaning;

/// <summary>What a word is, in the language of the turn. A word may be several things.</summary>
[Flags]
internal enum Words : uint
{
    None = 0,
    Filler = 1 << 0,

    /// <summary>Closed-class: articles, pronouns, prepositions, auxiliaries and the like.</summary>
    Function = 1 << 1,
    Pronoun = 1 << 2,
    Determiner = 1 << 3,
    Preposition = 1 << 4,
    Auxiliary = 1 << 5,
    Question = 1 << 6,
    Conjunction = 1 << 7,
    Negation = 1 << 8,
    Number = 1 << 9,

    /// <summary>Fluent when it stands there twice: very very, had had.</summary>
    Doubles = 1 << 10,

    /// <summary>Fluent twice even with a comma between: no, no.</summary>
    DoublesAnywhere = 1 << 11,

    /// <summary>An ordinary word, which no name is to replace.</summary>
    Common = 1 << 12,

    /// <summary>A name that everybody can spell: a country, a city, a first name. No other is put in its place but one that sounds the same.</summary>
    Known = 1 << 14,

    /// <summary>An ordinary word too, of which the rules know nothing else: a form of a common one, one with an ending that names do not have.</summary>
    Ordinary = 1 << 15,

    /// <summary>A prefix written with a hyphen that may stand apart: non- GAAP.</summary>
    Prefix = 1 << 13,
}

/// <summary>Which stages a word may be something for, in a language: a turn without any such word is passed over by them.</summary>
[Flags]
internal enum Roles : byte
{
    None = 0,

    /// <summary>A filled pause, drawn out or not.</summary>
    Pause = 1,

    /// <summary>Something that takes words back begins with it.</summary>
    Cue = 2,

    /// <summary>A phrase that carries nothing begins with it.</summary>
    Phrase = 4,

    /// <summary>Carries nothing in some places.</summary>
    Marker = 8,
}

/// <summary>What a token may undergo.</summary>
internal enum TokenKind : byte
{
    Word,

    /// <summary>Has a digit.</summary>
    Number,

    /// <summary>An address, code, or inside quotation marks.</summary>
    Protected,
}

/// <summary>What stands between a token and the one before it.</summary>
[Flags]
internal enum Gap : byte
{
    None = 0,
    Comma = 1,

    /// <summary>The end of a sentence, or a line.</summary>
    End = 2,
    Ellipsis = 4,
    Dash = 8,

    /// <summary>A semicolon or colon.</summary>
    Pause = 16,

    /// <summary>Anything else that is no space: brackets, quotation marks, signs.</summary>
    Other = 32,
    Space = 64,

    /// <summary>A hyphen right after the token before, as of a word broken off.</summary>
    Broken = 128,
}

/// <summary>A word of the raw text.</summary>
internal struct Token
{
    public int Start;
    public int End;

    /// <summary>Where its lower-cased form begins in <see cref="TurnText.Lower"/>.</summary>
    public int LowerStart;
    public int LowerLength;
    public uint Hash;

    /// <summary>What is known of it; set when the turn has been read.</summary>
    public WordForm Form;
    public Words Is;
    public Roles Roles;
    public TokenKind Kind;
    public Gap Before;
    public bool Capitalised;

    /// <summary>Taken out by a stage that came before, at medium confidence or more: later stages look past it.</summary>
    public bool Gone;

    public readonly bool Has(Words words) => (Is & words) != 0;

    /// <summary>Whether no stage but number writing may touch it: digits, negations, what is protected.</summary>
    public readonly bool IsFixed => Kind != TokenKind.Word || (Is & Words.Negation) != 0 || (Is & (Words.Number | Words.Pronoun)) == Words.Number;

    public readonly bool StartsSentence => (Before & Gap.End) != 0;
}
