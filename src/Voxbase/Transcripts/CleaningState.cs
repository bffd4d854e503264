namespace Voxbase.Cleaning;

/// <summary>How far a text is believed as a source of names.</summary>
public enum TurnTrust
{
    /// <summary>Heard by a recogniser: a name in it may be misheard, and never corrects another.</summary>
    Heard,

    /// <summary>Written by an agent or a model, or typed: its names are spelled as they should be.</summary>
    Written,
}

/// <summary>
/// What a conversation has said so far, as far as cleaning the next turn needs it: the last turns, the names in those of them that are trusted, and
/// what it is about. Made of its key terms and its turns alone, so that a replay or a restart gives the same. Costs the same at the ten-thousandth
/// turn as at the tenth. For one thread at a time.
/// </summary>
public sealed class CleaningState
{
    private const float Decay = .8f;
    private const float Active = .5f;
    private const int MostNames = 200;
    private const int MostRecent = 8;

    private readonly TermIndex terms;
    private readonly Queue<SaidName[]> window = [];
    private readonly Queue<string> recent = [];
    private readonly float[] votes = new float[Cleaning.Topic.All.Count];
    private readonly float[] voting = new float[Cleaning.Topic.All.Count];
    private readonly TurnText reading = new();
    private TermIndex names = TermIndex.Empty;
    private readonly TermsRead termsRead = [];
    private HashSet<string> known = [];
    private readonly List<SaidName> said = [];
    private readonly List<string> introduced = [];
    private bool asked;

    /// <summary>A conversation that has said nothing yet.</summary>
    /// <param name="terms">Its key terms and participants, the only names that never age.</param>
    /// <param name="windowSize">How many turns count as context.</param>
    public CleaningState(TermIndex? terms = null, int windowSize = 20)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(windowSize, 1);
        this.terms = terms ?? TermIndex.Empty;
        WindowSize = windowSize;
    }

    /// <summary>How many turns count as context.</summary>
    public int WindowSize { get; }

    /// <summary>How many there are.</summary>
    public int TurnsHeld => window.Count;

    internal Language Language { get; private set; } = Language.English;

    internal Topic? Topic { get; private set; }

    /// <summary>The names that may correct others: key terms, then those of the last turns that are trusted.</summary>
    internal IReadOnlyList<TermIndex> Trusted => [terms, names];

    /// <summary>The last turns, cleaned, oldest first: what a model is told of the conversation.</summary>
    internal IReadOnlyCollection<string> Recent => recent;

    /// <summary>
    /// Adds a turn as it was cleaned. One in which a model put other words counts as heard, whoever spoke: what a model made never corrects
    /// another turn until somebody trusted says it.
    /// </summary>
    public void Add(CleanedTurn turn, TurnTrust trust) => Add(turn.Text, turn.Llm is { HasReworded: true } ? TurnTrust.Heard : trust);

    /// <summary>
    /// Adds a turn, cleaned, to what has been said; the oldest leaves the window when it is full. Names are taken from written turns; of what was heard,
    /// those by which people introduce themselves and those that they spell (<see cref="NameTrust"/>).
    /// </summary>
    public void Add(string text, TurnTrust trust)
    {
        reading.Read(text);
        Language = Language.Detect(reading, Language);
        reading.Classify(Language);
        Topic = TopicWith(reading) ?? Topic;
        for (var t = 0; t < votes.Length; t++)
            votes[t] = voting[t];
        var found = trust == TurnTrust.Written ? Names(reading) : Introduced(reading);
        asked = Introductions.AsksToSpell(reading);
        recent.Enqueue(text);
        if (recent.Count > MostRecent)
            recent.Dequeue();
        window.Enqueue(found);
        var left = window.Count > WindowSize ? window.Dequeue() : [];
        if (found.Length > 0 || left.Length > 0)
            Learn();
    }

    // What a heard turn says of its speaker's name. A recogniser's other names are no one's word.
    private SaidName[] Introduced(TurnText turn)
    {
        said.Clear();
        Introductions.Find(turn, asked, introduced, said);
        return said.Count == 0 ? [] : [.. said];
    }

    // Anew only when a name came or went: the same ones are mentioned again and again.
    private void Learn()
    {
        introduced.Clear();
        introduced.AddRange(window.SelectMany(turn => turn).Where(name => name.Trust == NameTrust.Introduced).Select(name => name.Name).Distinct(StringComparer.Ordinal));
        var now = Lexicon().Where(name => name.Corrects).Select(name => name.Name).Distinct(StringComparer.Ordinal).Take(MostNames).ToArray();
        if (now.Length == known.Count && known.SetEquals(now))
            return;
        known = [.. now];
        // Those that left are forgotten too.
        if (termsRead.Count > 8 * MostNames)
            termsRead.Clear();
        names = new TermIndex(now, isPhrases: false, termsRead);
    }

    /// <summary>
    /// The names that the last turns gave, in their order and with what they are trusted for; key terms are not among them. One that was introduced
    /// corrects others once a written turn has a word of it; a name that a recogniser alone heard is not kept at all.
    /// </summary>
    public IReadOnlyList<KnownName> Lexicon()
    {
        var written = window.SelectMany(turn => turn).Where(name => name.Trust == NameTrust.Written).SelectMany(name => name.Name.Split(' ')).ToHashSet(StringComparer.Ordinal);
        return
        [
            .. window.SelectMany(turn => turn).Distinct().Select(name => new KnownName(
                name.Name, name.Trust, name.Trust != NameTrust.Introduced || Array.Exists(name.Name.Split(' '), written.Contains))),
        ];
    }

    /// <summary>What the conversation is about with this turn; null when nothing stands out.</summary>
    internal Topic? TopicWith(TurnText turn)
    {
        for (var t = 0; t < votes.Length; t++)
            voting[t] = votes[t] * Decay;
        Cleaning.Topic.Vote(turn, voting);
        var best = 0;
        for (var t = 1; t < voting.Length; t++)
            best = voting[t] > voting[best] ? t : best;
        return voting[best] >= Active ? Cleaning.Topic.All[best] : null;
    }

    /// <summary>Proposes corrections of names and, where the topic calls for them, of fixed phrases.</summary>
    internal void Correct(TurnText turn, MatchBuffers buffers)
    {
        if (terms.Count + names.Count == 0 && !IsActive(turn))
            return;
        LexiconMatcher.Prepare(turn, buffers);
        LexiconMatcher.FindNames(turn, terms, names, buffers, mentioned: .8f);
        if (IsActive(turn))
            LexiconMatcher.FindPhrases(turn, PhrasePacks.Roles, buffers, Math.Min(1, votes[0] * Decay));
    }

    // Whether the phrases of people who say who they are may be meant.
    private bool IsActive(TurnText turn) => votes[0] * Decay >= Active && turn.Language == Language.English;

    // Runs of capitalised words, without the small and ordinary words at their edges; a single ordinary word is none.
    private static SaidName[] Names(TurnText turn)
    {
        var found = new List<SaidName>();
        var i = 0;
        while (i < turn.Count)
        {
            if (!turn[i].Capitalised || turn[i].Kind != TokenKind.Word)
            {
                i++;
                continue;
            }

            var first = i++;
            while (i < turn.Count && i - first < 4 && turn[i].Capitalised && turn[i].Kind == TokenKind.Word && turn[i].Before == Gap.Space)
                i++;
            var last = i - 1;
            while (first <= last && (turn[first].Has(Words.Function) || turn.Lower(first) is "mr" or "mrs" or "ms" or "dr"
                || (turn[first].StartsSentence && turn[first].Has(Words.Common | Words.Ordinary) && first < last)))
            {
                first++;
            }

            while (last >= first && turn[last].Has(Words.Function))
                last--;
            if (last > first || (last == first && !turn[first].Has(Words.Common | Words.Ordinary)))
                found.Add(new SaidName(turn.Raw[turn[first].Start..turn[last].End], NameTrust.Written));
        }

        return [.. found];
    }
}

/// <summary>Fixed phrases of a topic, which a recogniser may turn into others that sound alike.</summary>
internal static class PhrasePacks
{
    private const string Departments =
        "marketing|sales|operations|engineering|finance|product|human resources|communications|research|technology|development|design|security|strategy|procurement|logistics|customer success|business development";

    /// <summary>Roles and departments, while people say who they are.</summary>
    public static TermIndex Roles { get; } = new(
        [
            .. Departments.Split('|').SelectMany(department => new[]
            {
                "Director of " + department, "head of " + department, "vice president of " + department, "chief of " + department, "manager of " + department,
            }),
            "vice president", "human resources", "project manager", "product manager", "account manager", "general manager", "office manager",
            "quality assurance", "chief executive officer", "chief financial officer", "chief technology officer", "executive assistant",
            "software engineer", "data scientist", "sales representative", "customer service", "business analyst", "board of directors",
        ],
        isPhrases: true);
}
