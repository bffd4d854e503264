namespace Voxbase;

/// <summary>How transcripts are cleaned as they come.</summary>
public sealed class TranscriptsOptions
{
    /// <summary>
    /// Whether every conversation that begins from now on is cleaned as its turns come, unless its preferences say otherwise. Default false: those
    /// whose preferences have <c>"cleaning": true</c>. Servers of one database should agree: the one that started last decides.
    /// </summary>
    public bool Enabled { get; set; }

    /// <summary>
    /// What cleans where a conversation's preferences don't say: deterministic, or llm, which asks the model of LlmCleaning where there is something
    /// to fix and the budget allows. Default deterministic.
    /// </summary>
    public Cleaning.CleaningEngine Engine { get; set; }

    /// <summary>How much may change where a conversation's preferences don't say: none, light or full. Default full.</summary>
    public CleaningLevel Level { get; set; } = CleaningLevel.Full;

    /// <summary>
    /// Who speaks, where a conversation's preferences don't say: people with each other, or to a machine, where a single "no" takes back what came
    /// before it. Default conversation.
    /// </summary>
    public Cleaning.CleaningMode Mode { get; set; }

    /// <summary>How many of the last turns count as context, where a conversation's preferences don't say. From 1 to 64; default 20.</summary>
    public int WindowSize { get; set; } = 20;

    /// <summary>
    /// How often conversations are looked for that other servers wrote to, or that a crash left behind. What this server appends is cleaned at once.
    /// From 100 ms to 1 hour; default 2 seconds.
    /// </summary>
    public TimeSpan SweepEvery { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long the turns after one whose text is still awaited wait for it, so that it counts as their context. Later text is cleaned when it comes.
    /// From 0 to 10 minutes; default 10 seconds.
    /// </summary>
    public TimeSpan AwaitText { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How many batches of conversations are cleaned at once. From 1 to 64; default 4.</summary>
    public int Lanes { get; set; } = 4;

    /// <summary>How many conversations' context is kept in memory; others' is read again, at most 128 turns of it. From 1 to 1,000,000; default 1,000.</summary>
    public int ContextsKept { get; set; } = 1_000;

    internal void Validate(Action<string> fail)
    {
        if (!Enum.IsDefined(Level))
            fail($"Transcripts.Level must be none, light or full (was {Level})");
        if (!Enum.IsDefined(Mode))
            fail($"Transcripts.Mode must be conversation or assistant (was {Mode})");
        if (!Enum.IsDefined(Engine))
            fail($"Transcripts.Engine must be deterministic or llm (was {Engine})");
        Count(WindowSize, 1, Cleaning.CleaningSettings.LargestWindow, nameof(WindowSize));
        Count(Lanes, 1, 64, nameof(Lanes));
        Count(ContextsKept, 1, 1_000_000, nameof(ContextsKept));
        Span(SweepEvery, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1), nameof(SweepEvery));
        Span(AwaitText, TimeSpan.Zero, TimeSpan.FromMinutes(10), nameof(AwaitText));

        void Count(int value, int low, int high, string name)
        {
            if (value < low || value > high)
                fail($"Transcripts.{name} must be between {low} and {high} (was {value})");
        }

        void Span(TimeSpan value, TimeSpan low, TimeSpan high, string name)
        {
            if (value < low || value > high)
                fail($"Transcripts.{name} must be between {low} and {high} (was {value})");
        }
    }
}
