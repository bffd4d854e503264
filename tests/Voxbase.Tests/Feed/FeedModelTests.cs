using System.Globalization;
using Voxbase.Testing;

namespace Voxbase.Tests.Feeds;

/// <summary>Random histories of turns, participants and policies, against a model of who may see what: nothing reaches a stranger, nothing allowed is missing.</summary>
public sealed class FeedModelTests(TestCluster cluster)
{
    // VOXBASE_FEED_HISTORIES=3000 for a campaign.
    private static readonly int Histories = int.Parse(Environment.GetEnvironmentVariable("VOXBASE_FEED_HISTORIES") ?? "60", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Each_sees_what_the_model_says_and_nothing_else()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        await using var db = await cluster.CreateDatabaseAsync();
        var users = new List<Caller>();
        for (var i = 0; i < 5; i++)
            users.Add(await db.NewUserAsync(isAdmin: i == 4));
        var followers = new List<FeedFollower>();
        foreach (var user in users)
            followers.Add(await FeedFollower.StartAsync(db.Feed, user, "turns"));
        await using var service = await FeedFollower.StartAsync(db.Feed, Caller.Service, "turns");
        var expected = users.Select(_ => new List<string>()).ToList();
        var all = new List<string>();
        var isOpen = false;
        for (var history = 0; history < Histories; history++)
        {
            var owner = random.Next(4);
            var conversation = (await FeedTests.CallAsync(db, users[owner])).Id;
            var members = new HashSet<int>();
            var turns = 0;
            for (var step = 0; step < 12; step++)
            {
                switch (random.Next(8))
                {
                    case 0 or 1 or 2:
                        var speaker = random.Next(3) == 0 ? "open" : "closed";
                        await FeedTests.AppendAsync(db, users[owner], conversation, [FeedTests.Said($"turn {all.Count}") with { Speaker = speaker }]);
                        turns++;
                        Committed($"turn {all.Count}", speaker == "open");
                        break;
                    case 3 when turns > 0:
                        var changed = random.Next(3) == 0 ? "open" : "closed";
                        // A version whose deciding columns are others by then is shown to the service alone.
                        await SettledAsync();
                        await db.ExecuteAsync(
                            users[owner],
                            $"update vox.turns set raw_text = 'change {all.Count}', speaker = '{changed}' where conversation_id = '{conversation}' and sequence_number = {random.Next(turns) + 1}");
                        Committed($"change {all.Count}", changed == "open");
                        break;
                    case 4 or 5:
                        var guest = random.Next(4);
                        if (guest == owner || !members.Add(guest))
                            break;
                        await SettledAsync();
                        await FeedTests.JoinAsync(db, conversation, users[guest]);
                        break;
                    case 6 when members.Count > 0:
                        var leaving = members.ElementAt(random.Next(members.Count));
                        members.Remove(leaving);
                        await SettledAsync();
                        await db.ExecuteAsync(Caller.Service, $"delete from vox.participants where conversation_id = '{conversation}' and user_id = '{users[leaving].UserId}'");
                        break;
                    case 7 when random.Next(3) == 0:
                        await SettledAsync();
                        isOpen = !isOpen;
                        await FeedTests.OwnAsync(
                            db,
                            isOpen
                                ? "create policy test_open on vox.turns for select to authenticated using (speaker = 'open')"
                                : "drop policy test_open on vox.turns");
                        break;
                }
            }

            await SettledAsync();

            void Committed(string text, bool open)
            {
                all.Add(text);
                for (var user = 0; user < users.Count; user++)
                {
                    if (user == owner || user == 4 || members.Contains(user) || (open && isOpen))
                        expected[user].Add(text);
                }
            }

            // A change is judged by the policies as they are when it is told. What has been told to one has been judged for all.
            async Task SettledAsync()
            {
                if (all.Count > 0)
                    await service.UntilAsync(seen => seen.Count > all.Count && seen.Count(each => each.Kind == FeedEventKind.Change) == all.Count);
            }
        }

        // Something that everybody sees, behind all else.
        var last = (await FeedTests.CallAsync(db, users[0])).Id;
        await FeedTests.JoinAsync(db, last, [.. users.Skip(1)]);
        await FeedTests.AppendAsync(db, users[0], last, [FeedTests.Said("the end")]);
        for (var user = 0; user < users.Count; user++)
        {
            await followers[user].SeesAsync("\"the end\"");
            followers[user].Changes.Select(Text).ShouldBe([.. expected[user], "the end"], $"user {user}, seed {seed}");
            followers[user].All.ShouldAllBe(each => each.Kind == FeedEventKind.Ready || each.Kind == FeedEventKind.Change || each.Kind == FeedEventKind.Progress);
            await followers[user].DisposeAsync();
        }

        service.Changes.Select(Text).ShouldBe([.. all, "the end"], $"seed {seed}");

        static string Text(FeedEvent change) => FeedFollower.Record(change).GetProperty("raw_text").GetString()!;
    }

    [Fact]
    public async Task Many_writers_at_once_come_in_the_order_of_commits_and_each_once_to_each()
    {
        await using var db = await cluster.CreateDatabaseAsync(pooled: 24);
        var users = new List<(Caller User, Guid Call, FeedFollower Follower)>();
        for (var i = 0; i < 12; i++)
        {
            var user = await db.NewUserAsync();
            var call = (await FeedTests.CallAsync(db, user)).Id;
            users.Add((user, call, await FeedFollower.StartAsync(db.Feed, user, "turns")));
        }

        await using var service = await FeedFollower.StartAsync(db.Feed, Caller.Service, "turns");
        const int each = 60;
        await Task.WhenAll(users.Select(async user =>
        {
            for (var i = 0; i < each; i++)
                await FeedTests.AppendAsync(db, user.User, user.Call, [FeedTests.Said($"{i}")]);
        }));
        await service.UntilAsync(all => all.Count(one => one.Kind == FeedEventKind.Change) == each * users.Count);
        service.Changes.Select(change => change.Position).ShouldBeInOrder(SortDirection.Ascending);
        foreach (var (_, call, follower) in users)
        {
            await follower.UntilAsync(all => all.Count(one => one.Kind == FeedEventKind.Change) >= each);
            follower.Changes.Select(change => FeedFollower.Record(change).GetProperty("raw_text").GetString()).ShouldBe(Enumerable.Range(0, each).Select(i => $"{i}"));
            follower.Changes.Select(change => change.Position).ShouldBe(service.Changes
                .Where(change => FeedFollower.Record(change).GetProperty("conversation_id").GetGuid() == call).Select(change => change.Position));
            await follower.DisposeAsync();
        }
    }
}
