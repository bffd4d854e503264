using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Npgsql;
using Voxbase.Testing;

namespace Voxbase.Server.Tests;

/// <summary>Server and database killed again and again while turns come and clients follow: each client ends with what was committed and it may see, in order, once.</summary>
public sealed class FeedKillTests : KillTests
{
    // VOXBASE_FEED_KILLS=100 VOXBASE_FEED_CLIENTS=50 for a campaign.
    private static readonly int Kills = Number("VOXBASE_FEED_KILLS", 4);
    private static readonly int Clients = Number("VOXBASE_FEED_CLIENTS", 6);

    private const int PollMs = 20;
    private const int PatienceMs = 120_000;

    [Fact]
    public async Task Whoever_comes_back_has_missed_nothing_and_had_nothing_twice()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        await using var db = await Cluster.CreateDatabaseAsync();
        var calls = new List<(Caller Owner, Guid Id)>();
        for (var i = 0; i < 3; i++)
        {
            var owner = await db.NewUserAsync();
            calls.Add((owner, (await db.Conversations.StartAsync(owner, new NewConversation { Kind = ConversationKind.Call }, Cancel)).Id));
        }

        var up = await StartAsync(db);
        try
        {
            using var over = new CancellationTokenSource();
            var clients = Enumerable.Range(0, Clients).Select(i => new Client(() => up.Url, calls[i % calls.Count].Owner, calls[i % calls.Count].Id)).ToList();
            var following = clients.Select(client => client.FollowAsync(over.Token)).ToList();
            foreach (var client in clients)
                await EventuallyAsync(() => client.Last is not null, "A client never became ready.");

            using var enough = new CancellationTokenSource();
            var writing = calls.Select(call => WriteAsync(db, call.Owner, call.Id, enough.Token)).ToList();
            for (var kill = 0; kill < Kills; kill++)
            {
                // Between two deaths something comes to everybody.
                var seen = clients.Select(client => client.Count).ToList();
                await EventuallyAsync(
                    () => writing.Concat(following).Any(each => each.IsFaulted) || clients.Index().All(client => client.Item.Count > seen[client.Index] + 5),
                    async () => $"After {kill} kills a client was not told of anything any more (seed {seed}).\n{await StateAsync(db, up, clients, seen)}");
                foreach (var each in writing.Concat(following).Where(each => each.IsFaulted))
                    await each;
                await Task.Delay(random.Next(50), Cancel);
                if (random.Next(2) == 0)
                {
                    await up.KillAsync();
                    await up.DisposeAsync();
                    up = await StartAsync(db);
                }
                else
                {
                    await KillDatabaseAsync();
                    await Cluster.Postgres.EnsureRunningAsync(Cancel);
                    NpgsqlConnection.ClearAllPools();
                }
            }

            await enough.CancelAsync();
            await Task.WhenAll(writing);
            foreach (var (owner, id) in calls)
                await AppendAsync(db, owner, id, "the end");
            await EventuallyAsync(
                () => following.Exists(each => each.IsFaulted) || clients.TrueForAll(client => client.IsAtTheEnd),
                async () => $"A client did not come to the end (seed {seed}).\n{await StateAsync(db, up, clients, [.. clients.Select(_ => 0)])}");
            await over.CancelAsync();
            await Task.WhenAll(following);
            foreach (var client in clients)
            {
                client.Faults.ShouldBeEmpty();
                var committed = await TurnsAsync(db, client.Conversation);
                client.Texts.ShouldBe(committed, $"seed {seed}");
                committed.Count.ShouldBeGreaterThan(Kills * 5);
            }
        }
        finally
        {
            await up.DisposeAsync();
        }
    }

    private static int Number(string name, int otherwise) => int.Parse(Environment.GetEnvironmentVariable(name) ?? $"{otherwise}", CultureInfo.InvariantCulture);

    private static async Task WriteAsync(TestDatabase db, Caller owner, Guid id, CancellationToken enough)
    {
        for (var i = 0; !enough.IsCancellationRequested; i++)
        {
            await AppendAsync(db, owner, id, $"turn {i}");
            await Task.Delay(5, Cancel);
        }
    }

    // Written with the same id until it is there, as any client may.
    private static async Task AppendAsync(TestDatabase db, Caller owner, Guid id, string text)
    {
        var turn = new NewTurn { Id = Guid.CreateVersion7(), Role = TurnRole.User, RawText = text };
        while (true)
        {
            try
            {
                await db.Conversations.AppendAsync(owner, id, turn, Cancel);
                return;
            }
            catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
            {
                await Task.Delay(20, Cancel);
            }
        }
    }

    private static async Task<List<string>> TurnsAsync(TestDatabase db, Guid id)
    {
        var texts = (string)(await db.ScalarAsync(
            Caller.Service, $"select json_agg(raw_text order by sequence_number)::text from vox.turns where conversation_id = '{id}'"))!;
        return JsonSerializer.Deserialize<List<string>>(texts)!;
    }

    // Where a change that does not arrive has got to: written, read from its slot, told by the server, heard by the client.
    private async Task<string> StateAsync(TestDatabase db, UpProcess up, List<Client> clients, List<int> seen)
    {
        var state = new StringBuilder();
        foreach (var (i, client) in clients.Index())
            state.AppendLine(CultureInfo.InvariantCulture, $"client {i}: {client.Count - seen[i]} events more, now {client}");
        foreach (var (what, sql) in new[] { ("slots", SlotsSql), ("last turns", LastTurnsSql), ("busy", BusySql) })
            state.AppendLine(CultureInfo.InvariantCulture, $"{what}: {await AskedAsync(sql)}");
        state.AppendLine(CultureInfo.InvariantCulture, $"the server: {await ReadyAsync()}");
        return state.AppendLine(up.Errors).ToString();

        async Task<string> AskedAsync(string sql)
        {
            try
            {
                await using var connection = new NpgsqlConnection(
                    new NpgsqlConnectionStringBuilder(Cluster.SuperuserConnectionStringOf(new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!)) { Pooling = false }.ConnectionString);
                await connection.OpenAsync(Cancel);
                await using var command = new NpgsqlCommand(sql, connection);
                return $"{await command.ExecuteScalarAsync(Cancel)}";
            }
            catch (NpgsqlException e)
            {
                return e.Message;
            }
        }

        async Task<string> ReadyAsync()
        {
            try
            {
                using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
                http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TokenOf(Caller.Service));
                using var answer = await http.GetAsync(new Uri($"{up.Url}/ready"), Cancel);
                return await answer.Content.ReadAsStringAsync(Cancel);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                return e.Message;
            }
        }
    }

    private const string SlotsSql =
        """
        select json_agg(s) || ' at ' || pg_current_wal_lsn()
        from (select slot_name, active, active_pid, wal_status, restart_lsn, confirmed_flush_lsn from pg_replication_slots) s
        """;

    private const string LastTurnsSql =
        """
        select json_agg(t) || ' at ' || now() from (select conversation_id, count(*), max(created_at) from vox.turns group by 1) t
        """;

    private const string BusySql =
        """
        select json_agg(a) from (
          select pid, application_name, state, wait_event_type, wait_event, now() - state_change as since, left(query, 80) as query
          from pg_stat_activity
          where state <> 'idle' and pid <> pg_backend_pid()) a
        """;

    private static Task EventuallyAsync(Func<bool> condition, string otherwise) => EventuallyAsync(condition, () => Task.FromResult(otherwise));

    private static async Task EventuallyAsync(Func<bool> condition, Func<Task<string>> otherwise)
    {
        // Counted in looks rather than by the clock: a machine that stands still for minutes has kept nobody waiting.
        for (var looks = 0; !condition(); looks++)
        {
            if (looks * PollMs > PatienceMs)
                throw new TimeoutException(await otherwise());
            await Task.Delay(PollMs, Cancel);
        }
    }

    /// <summary>Follows one conversation as a browser would: connects again with the last id whenever it is cut off.</summary>
    private sealed class Client(Func<string> url, Caller owner, Guid conversation)
    {
        private readonly List<string> texts = [];

        public Guid Conversation => conversation;

        public volatile string? Last;

        // How its connection stands, for who has to find out why nothing comes.
        private volatile string said = "";
        private long heardAt = Stopwatch.GetTimestamp();
        private int connections;

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"{said}, on its connection {connections}, {Stopwatch.GetElapsedTime(Volatile.Read(ref heardAt)).TotalSeconds:F1} s after it heard anything, at {Last} of {conversation}{(Faults.Count > 0 ? $", {Faults.Count} faults, the first {Faults[0]}" : "")}");

        public List<string> Faults { get; } = [];

        public List<string> Texts
        {
            get
            {
                lock (texts)
                    return [.. texts];
            }
        }

        public int Count
        {
            get
            {
                lock (texts)
                    return texts.Count;
            }
        }

        public bool IsAtTheEnd => Texts is [.., "the end"];

        public async Task FollowAsync(CancellationToken over)
        {
            using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TokenOf(owner));
            while (!over.IsCancellationRequested)
            {
                try
                {
                    using var request = new HttpRequestMessage(HttpMethod.Get, $"{url()}/v1/feed?tables=turns&conversation={conversation}&events=insert");
                    if (Last is { } last)
                        request.Headers.Add("Last-Event-ID", last);
                    using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, over);
                    said = response.StatusCode.ToString();
                    connections++;
                    if (response.IsSuccessStatusCode)
                        await ReadAsync(response, over);
                    said += ", ended";
                }
                catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && over.IsCancellationRequested))
                {
                    said = e.GetType().Name;
                }

                await Task.Delay(50, CancellationToken.None);
            }
        }

        private async Task ReadAsync(HttpResponseMessage response, CancellationToken over)
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(over));
            var (id, data) = ((string?)null, (string?)null);
            while (await reader.ReadLineAsync(over) is { } line)
            {
                Volatile.Write(ref heardAt, Stopwatch.GetTimestamp());
                if (line.StartsWith("id: ", StringComparison.Ordinal))
                {
                    id = line[4..];
                }
                else if (line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    data = line[6..];
                }
                else if (line.Length == 0)
                {
                    // An event counts when it is whole, and not before.
                    if (data is not null)
                        Take(JsonElement.Parse(data));
                    Last = id ?? Last;
                    (id, data) = (null, null);
                }
            }
        }

        private void Take(JsonElement message)
        {
            said = message.GetProperty("type").GetString()!;
            switch (said)
            {
                case "error":
                    said = message.ToString();
                    break;
                case "change":
                    lock (texts)
                        texts.Add(message.GetProperty("record").GetProperty("raw_text").GetString()!);
                    break;
                case "resync":
                    Faults.Add(message.ToString());
                    break;
            }
        }
    }
}
