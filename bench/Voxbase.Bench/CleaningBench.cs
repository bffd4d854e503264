using System.Diagnostics;
using Voxbase.Cleaning;

namespace Voxbase.Bench;

/// <summary>What cleaning a turn costs. There is no raw baseline for it, so each figure stands beside the bound that was promised.</summary>
internal static class CleaningBench
{
    private const int Turns = 4_000;

    // 25 words each, as a recogniser gives them.
    private static readonly string[] Said =
    [
        "so um i would like to move the the appointment with agnes kovalsky from thursday to friday if that is you know still possible please",
        "we are going to ask mister harrowgate about the delivery because the last one was uh four days late and nobody told us anything",
        "the invoice says two hundred and forty dollars but on the phone they told me it would be no more than two hundred dollars",
        "and then i i called the office of thessalie foods in the morning and they said that i should write an email to you",
        "could you tell me whether the garden gate is open on sunday no wait on saturday because my sister wants to come over then",
    ];

    public static Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var hundred = new TermIndex(Terms(100));
        var many = new TermIndex(Terms(10_000));
        var cleaner = new TurnCleaner();
        var early = Conversation(hundred, 10);
        var late = Conversation(hundred, 10_000);
        var crowded = Conversation(many, 10);
        for (var warm = 0; warm < 3; warm++)
        {
            Times(cleaner, early);
            Times(cleaner, crowded);
        }

        var (median, worst, bytes, rate, terms, length) = (Rounds(), Rounds(), Rounds(), Rounds(), Rounds(), Rounds());
        for (var round = 0; round < rounds; round++)
        {
            var times = Times(cleaner, early);
            var middle = Figure.Median(times);
            median.Add((middle, 60));
            worst.Add((times.Order().ElementAt(times.Count * 99 / 100), 500));
            bytes.Add((Allocated(cleaner, early), 2_048));
            rate.Add((Rate(cleaner, hundred), 30_000));
            terms.Add((Figure.Median(Times(cleaner, crowded)), middle));
            length.Add((Figure.Median(Times(cleaner, late)), Figure.Median(Times(cleaner, early))));
        }

        IReadOnlyList<Figure> figures =
        [
            Figure.Of("clean", "a turn of 25 words with 100 terms, median", "µs", median, "bound", 1, atLeast: false),
            Figure.Of("clean", "the same, 99th percentile", "µs", worst, "bound", 1, atLeast: false),
            Figure.Of("clean", "memory allocated beyond the result", "bytes", bytes, "bound", 1, atLeast: false),
            Figure.Of("clean", "such turns a second, cleaned through the library on all cores", "turns/s", rate, "bound", 1, atLeast: true),
            Figure.Of("clean", "a turn with 10,000 terms", "µs", terms, "100 terms", 4, atLeast: false),
            Figure.Of("clean", "a turn after 10,000 turns", "µs", length, "after 10 turns", 1.2, atLeast: false),
        ];
        return Task.FromResult(figures);

        static List<(double, double)> Rounds() => [];
    }

    private static CleaningState Conversation(TermIndex terms, int turns)
    {
        var state = new CleaningState(terms);
        for (var turn = 0; turn < turns; turn++)
            state.Add(turn % 2 == 0 ? "Thank you, Mr Harrowgate. What is your role at Thessaly Foods?" : Said[turn % Said.Length], turn % 2 == 0 ? TurnTrust.Written : TurnTrust.Heard);
        return state;
    }

    private static List<double> Times(TurnCleaner cleaner, CleaningState state)
    {
        var times = new List<double>(Turns);
        for (var turn = 0; turn < Turns; turn++)
        {
            var started = Stopwatch.GetTimestamp();
            cleaner.Clean(Said[turn % Said.Length], state);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
        }

        return times;
    }

    // What a turn allocates less what its result holds: the text, and each correction with its two texts.
    private static double Allocated(TurnCleaner cleaner, CleaningState state)
    {
        long held = 0;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var turn = 0; turn < Turns; turn++)
        {
            var result = cleaner.Clean(Said[turn % Said.Length], state);
            held += 200 + Text(result.Text) + result.Corrections.Concat(result.Reported).Sum(c => 64 + Text(c.Original) + Text(c.Corrected));
        }

        return Math.Max(0, (GC.GetAllocatedBytesForCurrentThread() - before - held) / (double)Turns);

        static long Text(string text) => text.Length == 0 ? 0 : 22 + (2 * text.Length);
    }

    private static double Rate(TurnCleaner cleaner, TermIndex terms)
    {
        var watch = Stopwatch.StartNew();
        Parallel.For(0, Environment.ProcessorCount, _ =>
        {
            var state = Conversation(terms, 10);
            for (var turn = 0; turn < Turns; turn++)
                cleaner.Clean(Said[turn % Said.Length], state);
        });
        return Turns * Environment.ProcessorCount / watch.Elapsed.TotalSeconds;
    }

    // Names made of syllables, always the same.
    private static IEnumerable<string> Terms(int count)
    {
        string[] starts = ["Ka", "Mo", "Ther", "Bel", "Sto", "Vin", "Har", "Lu", "Pre", "Dor", "Fen", "Gri", "Ja", "Nol", "Quin", "Ras", "Tam", "Wel", "Yor", "Zan"];
        string[] middles = ["ri", "lo", "ven", "da", "mi", "sta", "ke", "no", "tha", "pel", "gu", "ral", "shi", "bo", "cre"];
        string[] ends = ["son", "ler", "ford", "vich", "ton", "mann", "ska", "well", "gate", "berg", "dale", "rini", "quist", "ova"];
        yield return "Agnes Kowalski";
        yield return "Thessaly Foods";
        var random = new Random(7);
        for (var n = 2; n < count; n++)
            yield return $"{Name(random)} {Name(random)}";

        string Name(Random from) => starts[from.Next(starts.Length)] + middles[from.Next(middles.Length)] + ends[from.Next(ends.Length)];
    }
}
