using System.Collections.Concurrent;

namespace Voxbase.Cleaning;

/// <summary>What a turn is to be cleaned with.</summary>
public sealed record CleaningRequest
{
    /// <summary>How much may change. Default: full.</summary>
    public CleaningLevel Level { get; init; } = CleaningLevel.Full;

    /// <summary>Who the speaker talks to. Default: people.</summary>
    public CleaningMode Mode { get; init; }

    /// <summary>en, de, fr or es, with or without a region; null has it detected from the turn, and from the conversation where the turn says little.</summary>
    public string? Language { get; init; }

    /// <summary>What else the recogniser may have heard, the likelier first. Only a language model looks at it.</summary>
    public IReadOnlyList<string> Alternatives { get; init; } = [];
}

/// <summary>
/// The deterministic cleaner. Pure: the same turn with the same state gives the same result, on any machine, without a network or a model. Cleaning
/// what it gave changes nothing. Safe for use by several threads; a <see cref="CleaningState"/> belongs to one conversation and one thread at a time.
/// </summary>
public sealed class TurnCleaner
{
    private const int MostPasses = 6;
    private const double MostDeleted = 0.5;
    private const int FewTokens = 8;

    private readonly ConcurrentBag<TurnBuffers> pool = [];

    /// <summary>Cleans one turn with what the conversation has said so far. The state is read, not changed: <see cref="CleaningState.Add(CleanedTurn, TurnTrust)"/> does that.</summary>
    public CleanedTurn Clean(string raw, CleaningState state, CleaningRequest? request = null)
    {
        request ??= Default;
        var given = request.Language is { Length: > 0 } tag
            ? Language.Find(tag) ?? throw CleaningErrors.LanguageUnknown.With($"'{tag}' is no language that the cleaner knows.")
            : null;
        if (!pool.TryTake(out var buffers))
            buffers = new TurnBuffers();
        try
        {
            return Clean(raw, state, request, given, buffers);
        }
        finally
        {
            if (raw.Length <= 16_384)
                pool.Add(buffers);
        }
    }

    private static readonly CleaningRequest Default = new();

    private static CleanedTurn Clean(string raw, CleaningState state, CleaningRequest request, Language? given, TurnBuffers buffers)
    {
        var turn = buffers.Turn;
        turn.Read(raw);
        var language = given ?? Language.Detect(turn, state.Language);
        var level = request.Level;
        var edits = AtLevel(raw, state, request.Mode, ref level, language, buffers, out var text);
        // What is taken out may have been what told the language. That of what is left is right, or there is no telling what the rules for it are.
        if (given is null && edits.Count > 0 && Language.Detect(turn, state.Language) is var left && left != language)
        {
            (level, language) = (request.Level, left);
            edits = AtLevel(raw, state, request.Mode, ref level, language, buffers, out text);
            if (edits.Count > 0 && Language.Detect(turn, state.Language) != language)
                edits = Nothing(raw, buffers, out text);
        }

        var corrections = new Correction[edits.Count];
        var (confidence, misheard) = (Confidence.High, false);
        for (var i = 0; i < corrections.Length; i++)
        {
            corrections[i] = Told(raw, edits[i]);
            confidence = edits[i].Confidence < confidence ? edits[i].Confidence : confidence;
            misheard |= IsMisheard(edits[i]);
        }

        var reported = buffers.Reported.Count == 0 ? [] : new Correction[buffers.Reported.Count];
        for (var i = 0; i < reported.Length; i++)
        {
            reported[i] = Told(raw, buffers.Reported[i]);
            misheard |= IsMisheard(buffers.Reported[i]);
        }

        var topic = state.TopicWith(turn);
        return new CleanedTurn
        {
            Text = text,
            Corrections = corrections,
            Reported = reported,
            Confidence = confidence,
            Level = request.Level,
            LevelApplied = level,
            Language = language.Code,
            ContextDetected = topic?.Name,
            BusinessDomain = topic?.Domain,
            ConversationFlow = topic is not null && state.Topic is { } last ? $"{last.Name}_to_{topic.Name}" : null,
            TranscriptionErrorDetected = misheard,
            WindowSize = state.WindowSize,
            ContextTurnsUsed = state.TurnsHeld,
        };
    }

    private static Correction Told(string raw, in TextEdit edit) =>
        new(raw[edit.Start..edit.End], edit.Text, edit.Confidence, edit.Reason, edit.Start, edit.End, Math.Round(edit.Relevance, 3));

    private static bool IsMisheard(in TextEdit edit) => edit.Reason is CorrectionReasons.Lexicon or CorrectionReasons.Phrase;

    private static List<TextEdit> AtLevel(
        string raw, CleaningState state, CleaningMode mode, ref CleaningLevel level, Language language, TurnBuffers buffers, out string text)
    {
        var edits = Passes(raw, state, mode, level, language, buffers, out text);
        if (level != CleaningLevel.Full || !TakesTooMuch(raw, edits, buffers))
            return edits;
        level = CleaningLevel.Light;
        return Passes(raw, state, mode, level, language, buffers, out text);
    }

    // Passes until one changes nothing: so cleaning is idempotent by construction. Names that do not settle are given up, and then everything.
    private static List<TextEdit> Passes(
        string raw, CleaningState state, CleaningMode mode, CleaningLevel level, Language language, TurnBuffers buffers, out string text)
    {
        if (level != CleaningLevel.None)
        {
            if (Settles(raw, state, mode, level, language, buffers, out text) is { } edits
                || (edits = Settles(raw, null, mode, level, language, buffers, out text)) is not null)
            {
                return edits;
            }

        }

        return Nothing(raw, buffers, out text);
    }

    private static List<TextEdit> Nothing(string raw, TurnBuffers buffers, out string text)
    {
        buffers.Turn.Read(raw);
        buffers.Total.Clear();
        buffers.Reported.Clear();
        text = raw;
        return buffers.Total;
    }

    private static List<TextEdit>? Settles(
        string raw, CleaningState? state, CleaningMode mode, CleaningLevel level, Language language, TurnBuffers buffers, out string text)
    {
        var (total, pass, spare) = (buffers.Total, buffers.Pass, buffers.Spare);
        total.Clear();
        buffers.Reported.Clear();
        buffers.Matching.InVain.Clear();
        text = raw;
        for (var n = 0; n < MostPasses; n++)
        {
            pass.Clear();
            buffers.Ignored.Clear();
            if (!buffers.Turn.IsFresh || !ReferenceEquals(buffers.Turn.Raw, text))
                buffers.Turn.Read(text);
            buffers.Turn.Classify(language);
            buffers.Words = CountWords(buffers.Turn);
            if (n == 0)
                buffers.WordsSaid = buffers.Words;
            if (buffers.Turn.Count > 0)
                Pass(buffers.Turn, state, mode, level, buffers, pass, n == 0 ? buffers.Reported : buffers.Ignored);
            if (pass.Count == 0)
                return total;
            var next = Emission.Apply(text, pass);
            if (total.Count == 0 && !Emission.Touch(pass))
            {
                (total, pass) = (pass, total);
            }
            else
            {
                Emission.Compose(raw, text, total, pass, spare);
                (total, spare) = (spare, total);
            }

            text = next;
        }

        return null;
    }

    private static void Pass(
        TurnText turn, CleaningState? state, CleaningMode mode, CleaningLevel level, TurnBuffers buffers, List<TextEdit> edits, List<TextEdit> reported)
    {
        if (level == CleaningLevel.Full && Numbers.WriteWhole(turn))
        {
            Emission.Write(turn, level, edits, reported);
            return;
        }

        Disfluencies.Fillers(turn);
        Disfluencies.PartialWords(turn);
        Disfluencies.Repetitions(turn);
        if (level == CleaningLevel.Full)
        {
            var left = turn.LiveCount;
            Disfluencies.EditPhrases(turn);
            Disfluencies.Markers(turn);
            Repairs.Find(turn, mode);
            // What stood between two copies may be gone now.
            if (turn.LiveCount < left)
                Disfluencies.Repetitions(turn);
            Disfluencies.Restarts(turn);
            Numbers.Write(turn);
        }

        // Whatever the rules say, something was meant.
        if (turn.LiveCount == 0)
            return;
        state?.Correct(turn, buffers.Matching);
        Casing.Pronoun(turn);
        Emission.Write(turn, level, edits, reported);
    }

    // Most of a turn gone without anybody having said so is more likely our mistake than the speaker's.
    private static bool TakesTooMuch(string raw, List<TextEdit> edits, TurnBuffers buffers)
    {
        var (before, gone) = (buffers.WordsSaid, buffers.WordsSaid - buffers.Words);
        if (edits.Count == 0 || before <= FewTokens || gone <= before * MostDeleted)
            return false;
        var reading = buffers.Spelling;
        foreach (var edit in edits)
        {
            if (edit.Reason == CorrectionReasons.Repair)
                return false;
            // "two thousand" lost no word when it became 2000.
            if (edit.Text.Length > 0)
                gone -= Math.Max(0, WordsIn(raw[edit.Start..edit.End]) - WordsIn(edit.Text));
        }

        return gone > before * MostDeleted;

        int WordsIn(string text)
        {
            reading.Read(text);
            reading.Classify(buffers.Turn.Language);
            return CountWords(reading);
        }
    }

    // Pauses are no words.
    private static int CountWords(TurnText turn)
    {
        var words = 0;
        foreach (ref readonly var token in turn.Tokens)
            words += token.Has(Words.Filler) ? 0 : 1;
        return words;
    }

    private sealed class TurnBuffers
    {
        public TurnText Turn { get; } = new();

        /// <summary>For reading what is no turn.</summary>
        public TurnText Spelling { get; } = new();

        /// <summary>How many words the turn had before the first pass.</summary>
        public int WordsSaid { get; set; }

        /// <summary>How many it had before the last one.</summary>
        public int Words { get; set; }

        public MatchBuffers Matching { get; } = new();

        public List<TextEdit> Total { get; } = [];

        public List<TextEdit> Spare { get; } = [];

        public List<TextEdit> Pass { get; } = [];

        public List<TextEdit> Reported { get; } = [];

        public List<TextEdit> Ignored { get; } = [];
    }
}
