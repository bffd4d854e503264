namespace Voxbase.Cleaning;

/// <summary>A turn cut into words, with the buffers that its cleaning needs. Reused from turn to turn: nothing is allocated for a turn of usual length.</summary>
internal sealed class TurnText
{
    private Token[] tokens = new Token[128];
    private char[] lower = new char[1024];
    private int[] live = new int[128];
    private bool isStale;

    public string Raw { get; private set; } = "";

    /// <summary>Whether it has been read and nothing more.</summary>
    public bool IsFresh { get; private set; }

    public int Count { get; private set; }

    /// <summary>The tokens not <see cref="Token.Gone"/>, by index; kept by <see cref="Refresh"/>.</summary>
    public ReadOnlySpan<int> Live => live.AsSpan(0, LiveCount);

    public int LiveCount { get; private set; }

    public List<Proposal> Proposals { get; } = [];

    public Language Language { get; set; } = Language.English;

    public ref Token this[int index] => ref tokens[index];

    public ReadOnlySpan<Token> Tokens => tokens.AsSpan(0, Count);

    /// <summary>A word, lower-cased; empty for the place after the last one.</summary>
    public ReadOnlySpan<char> Lower(int index) => lower.AsSpan(tokens[index].LowerStart, tokens[index].LowerLength);

    public ReadOnlySpan<char> Surface(int index) => Raw.AsSpan(tokens[index].Start, tokens[index].End - tokens[index].Start);

    public bool Is(int index, string word) => index >= 0 && index < Count && Lower(index).SequenceEqual(word);

    public bool Same(int one, int other) =>
        tokens[one].Hash == tokens[other].Hash && Lower(one).SequenceEqual(Lower(other));

    /// <summary>Cuts a text into words; <see cref="Classify"/> is to follow.</summary>
    public void Read(string raw)
    {
        Raw = raw;
        IsFresh = true;
        Count = 0;
        Proposals.Clear();
        if (lower.Length < raw.Length)
            lower = new char[Math.Max(raw.Length, lower.Length * 2)];
        if (tokens.Length < (raw.Length / 2) + 2)
            tokens = new Token[Math.Max((raw.Length / 2) + 2, tokens.Length * 2)];
        Count = Tokenizer.Read(raw, tokens, lower);
        for (var i = 0; i < Count; i++)
            tokens[i].Form = Vocabulary.Find(tokens[i].Hash, Lower(i));
        if (Count > 0)
            tokens[Count].Form = Vocabulary.Nothing;
    }

    /// <summary>What some word of the turn may be to a stage.</summary>
    public Roles Roles { get; private set; }

    /// <summary>Looks the words up in the language's table.</summary>
    public void Classify(Language language)
    {
        Language = language;
        Roles = Roles.None;
        IsFresh = false;
        for (var i = 0; i < Count; i++)
        {
            ref var token = ref tokens[i];
            token.Is = token.Form.In(language);
            token.Roles = token.Form.RolesIn(language);
            Roles |= token.Roles;
        }

        isStale = true;
        Refresh();
    }

    /// <summary>Finds again which tokens are left, if any went.</summary>
    public void Refresh()
    {
        if (!isStale)
            return;
        isStale = false;
        if (live.Length < Count)
            live = new int[tokens.Length];
        LiveCount = 0;
        for (var i = 0; i < Count; i++)
        {
            if (!tokens[i].Gone)
                live[LiveCount++] = i;
        }
    }

    /// <summary>
    /// Proposes to take tokens out. Those of medium confidence or more are gone for the stages that follow; answers whether they are. What is no
    /// plain word never is.
    /// </summary>
    public bool Delete(int first, int last, string reason, Confidence confidence)
    {
        for (var i = first; i <= last; i++)
        {
            if (tokens[i].Kind != TokenKind.Word)
                confidence = Confidence.Low;
        }

        Proposals.Add(new Proposal(first, last, null, reason, confidence, 0));
        if (confidence == Confidence.Low)
            return false;
        for (var i = first; i <= last; i++)
            tokens[i].Gone = true;
        isStale = true;
        return true;
    }

    /// <summary>Proposes other words for tokens.</summary>
    public void Replace(int first, int last, string text, string reason, Confidence confidence, double relevance) =>
        Proposals.Add(new Proposal(first, last, text, reason, confidence, relevance));
}

/// <summary>What a stage proposes: to take the tokens <paramref name="First"/> to <paramref name="Last"/> out, or to put a text in their place.</summary>
internal readonly record struct Proposal(int First, int Last, string? Text, string Reason, Confidence Confidence, double Relevance);
