using System.Collections.Frozen;

namespace Voxbase.Cleaning;

/// <summary>What a conversation can be about, as far as the cleaner cares.</summary>
/// <param name="Name">For <c>context_detected</c>.</param>
/// <param name="Domain">For <c>business_domain</c>; null for what every trade talks about.</param>
internal sealed record Topic(string Name, string? Domain)
{
    private static readonly (string Name, string? Domain, string Words)[] Known =
    [
        ("identity_role", null, "name role roles title position job company employer department team profession occupation responsible responsibilities yourself introduce career"),
        ("contact", null, "email address phone number contact reach mail mobile"),
        ("scheduling", null, "appointment schedule calendar tomorrow monday tuesday wednesday thursday friday saturday sunday slot available reschedule book meeting"),
        ("payment", "finance", "pay payment invoice bill charge refund card price cost subscription euros dollars"),
        ("results", "finance", "revenue quarter earnings fiscal margin guidance dividend ebitda shareholders growth basis"),
        ("technical", "technology", "server database deploy cluster software login password api code app error update install cloud kubernetes"),
        ("order", "commerce", "order ordered delivery shipment shipped package product store buy bought purchase return"),
        ("marketing", "marketing", "campaign brand audience advertising social media content leads marketing"),
        ("health", "health", "doctor patient pain symptoms treatment therapy medication disease diseases clinic knee"),
        ("travel", "travel", "flight fly airport hotel ticket trip destination train luggage"),
    ];

    /// <summary>All of them; the index of one is its place in a vote.</summary>
    public static IReadOnlyList<Topic> All { get; } = [.. Known.Select(topic => new Topic(topic.Name, topic.Domain))];

    private static readonly FrozenDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ByWord = Known
        .SelectMany((topic, index) => topic.Words.Split(' ').Select(word => (word, index)))
        .ToFrozenDictionary(pair => pair.word, pair => pair.index, StringComparer.Ordinal)
        .GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>The place in a vote of the topic that a word speaks for; -1 for none.</summary>
    public static int OfWord(ReadOnlySpan<char> word) => ByWord.TryGetValue(word, out var topic) ? topic : -1;

    /// <summary>Adds a turn's votes.</summary>
    public static void Vote(TurnText turn, Span<float> votes)
    {
        for (var i = 0; i < turn.Count; i++)
        {
            if (turn[i].Form.Topic is >= 0 and var topic)
                votes[topic]++;
            // What do you do? I work as, I lead.
            else if (turn.Is(i, "do") && turn.Is(i - 1, "you") && turn.Is(i - 2, "do"))
                votes[0]++;
        }
    }
}
