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
        var edits = Passes(raw, state, request.Mode, level, language, buffers, out var text);
        if (level == CleaningLevel.Full && TakesTooMuch(raw, text, edits, buffers))
        {
            level = CleaningLevel.Light;
            edits = Passes(raw, state, request.Mode, level, language, buffers, out text);
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

    // Passes until one changes nothing: so cleaning is idempotent by construction. What does not settle stays as it was said.
    private static List<TextEdit> Passes(
        string raw, CleaningState state, CleaningMode mode, CleaningLevel level, Language language, TurnBuffers buffers, out string text)
    {
        var (total, pass, spare) = (buffers.Total, buffers.Pass, buffers.Spare);
        total.Clear();
        buffers.Reported.Clear();
        text = raw;
        if (level == CleaningLevel.None)
            return total;
        for (var n = 0; n < MostPasses; n++)
        {
            pass.Clear();
            Pass(text, state, mode, level, language, buffers, pass, n == 0 ? buffers.Reported : buffers.Ignored);
            if (pass.Count == 0)
                return total;
            var next = Emission.Apply(text, pass);
            Emission.Compose(raw, text, total, pass, spare);
            (total, spare) = (spare, total);
            text = next;
        }

        total.Clear();
        text = raw;
        return total;
    }

    private static void Pass(
        string text, CleaningState state, CleaningMode mode, CleaningLevel level, Language language, TurnBuffers buffers, List<TextEdit> edits, List<TextEdit> reported)
    {
        buffers.Ignored.Clear();
        var turn = buffers.Turn;
        turn.Read(text);
        if (turn.Count == 0)
            return;
        turn.Classify(language);
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
            Disfluencies.EditPhrases(turn);
            Disfluencies.Markers(turn);
            Repairs.Find(turn, mode);
            Disfluencies.Repetitions(turn);
            Disfluencies.Restarts(turn);
            Numbers.Write(turn);
        }

        // Whatever the rules say, something was meant.
        if (turn.LiveCount == 0)
            return;
        state.Correct(turn, buffers.Matching);
        Emission.Write(turn, level, edits, reported);
    }

    // Most of a turn gone without anybody having said so is more likely our mistake than the speaker's.
    private static bool TakesTooMuch(string raw, string text, List<TextEdit> edits, TurnBuffers buffers)
    {
        var (repaired, rewritten) = (false, 0);
        foreach (var edit in edits)
        {
            repaired |= edit.Reason == CorrectionReasons.Repair;
            // "two thousand" lost no word when it became 2000.
            if (edit.Text.Length > 0)
                rewritten += Math.Max(0, WordsIn(buffers.Turn, raw[edit.Start..edit.End]) - WordsIn(buffers.Turn, edit.Text));
        }

        if (repaired || edits.Count == 0)
            return false;
        var before = WordsIn(buffers.Turn, raw);
        return before > FewTokens && before - WordsIn(buffers.Turn, text) - rewritten > before * MostDeleted;
    }

    // Pauses are no words.
    private static int WordsIn(TurnText turn, string text)
    {
        turn.Read(text);
        turn.Classify(turn.Language);
        var words = 0;
        foreach (ref readonly var token in turn.Tokens)
            words += token.Has(Words.Filler) ? 0 : 1;
        return words;
    }

    private sealed class TurnBuffers
    {
        public TurnText Turn { get; } = new();

        public MatchBuffers Matching { get; } = new();

        public List<TextEdit> Total { get; } = [];

        public List<TextEdit> Spare { get; } = [];

        public List<TextEdit> Pass { get; } = [];

        public List<TextEdit> Reported { get; } = [];

        public List<TextEdit> Ignored { get; } = [];
    }
}
