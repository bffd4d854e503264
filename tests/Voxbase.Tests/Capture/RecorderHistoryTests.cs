using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Capture;

/// <summary>
/// Random small calls, recorded while the line to the database breaks and servers die and come back: whatever happens, the record is what was
/// accepted, in its order and once, with the end that it had, and what its replay makes. <c>VOXBASE_HISTORIES</c> says how many,
/// <c>VOXBASE_HISTORIES_SEED</c> which.
/// </summary>
[SuppressMessage("Security", "CA5394", Justification = "A seed that can be repeated.")]
public sealed class RecorderHistoryTests(TestCluster cluster)
{
    private static readonly TimeSpan Stuck = TimeSpan.FromMinutes(2);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_breaks_what_was_accepted_is_the_record()
    {
        var count = Setting("VOXBASE_HISTORIES") ?? 60;
        var seed = Setting("VOXBASE_HISTORIES_SEED") ?? 7;
        await using var db = await cluster.CreateDatabaseAsync(pooled: 40);
        await using var empty = await cluster.CreateDatabaseAsync();
        await using var line = new FlakyLine(db.ConnectionString, seed);
        await using var flaky = new Database(line.ConnectionString);
        line.Odds = 0.015;
        var faults = new List<string>();
        await Parallel.ForEachAsync(Enumerable.Range(seed, count), new ParallelOptions { MaxDegreeOfParallelism = 12, CancellationToken = Cancel }, async (n, _) =>
        {
            var history = new History(db, empty, flaky, n);
            try
            {
                await history.RunAsync().WaitAsync(Stuck, Cancel);
            }
            catch (Exception e) when (!Cancel.IsCancellationRequested)
            {
                lock (faults)
                    faults.Add($"seed {n}, {history.Told}: {e}");
            }
        });
        faults.ShouldBeEmpty();
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty($"seed {seed}");
        line.Breaks.ShouldBeGreaterThan(0);

        static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : null;
    }

    private sealed class History(TestDatabase db, TestDatabase empty, Database flaky, int seed)
    {
        private readonly Random random = new(seed);
        private readonly List<(string Direction, string Payload)> accepted = [];
        private readonly List<(bool FromServer, string Frame)> script = [];
        private readonly StringBuilder told = new();
        private int played;

        /// <summary>What happened, for whoever must find out why it went wrong.</summary>
        public string Told
        {
            get
            {
                lock (told)
                    return told.ToString();
            }
        }

        public async Task RunAsync()
        {
            var options = new VoxbaseOptions();
            options.Recording.SpoolFolder = Path.Combine(db.Options.Recording.SpoolFolder!, seed.ToString(CultureInfo.InvariantCulture));
            options.Recording.CommitInterval = TimeSpan.FromMilliseconds(random.Next(1, 20));
            // A chunk ends in the middle of an event, or holds one, or many.
            options.Recording.CommitBytes = random.Next(4) switch { 0 => 300, 1 => 1_500, 2 => 6_000, _ => 1 << 20 };
            var folder = options.Recording.SpoolFolder;
            await WriteScriptAsync();
            var conversation = await db.Conversations.StartAsync(
                Caller.Service, new NewConversation { Status = ConversationStatus.Active, AiAgentUsed = true, LlmProvider = "openai" }, Cancel);
            var endsWithServer = random.Next(2) == 0;
            var lives = endsWithServer ? 1 : random.Next(1, 4);
            Tell($"{conversation.Id} {(endsWithServer ? "relayed" : "listened in on")}, {lives} lives, {options.Recording.CommitBytes} bytes a commit");
            string? end = null;
            for (var life = 1; life <= lives; life++)
            {
                await using var server = Server(options);
                // As a server does: it attaches again while it looks for what the last one left.
                var recovering = life > 1 && random.Next(2) == 0 ? server.RecoverAsync(Cancel) : Task.CompletedTask;
                var recorder = await InsistAsync(() => server.OpenAsync(conversation, endsWithServer, Cancel));
                await PlayAsync(recorder);
                if (life == lives && random.Next(3) > 0)
                {
                    end = random.Next(2) == 0 ? EndReasons.ClientClosed : EndReasons.Idle;
                    var ending = recorder.EndAsync(end, Cancel);
                    if (random.Next(2) == 0)
                        await ending;
                    else
                        await PauseAsync();
                    Tell("ended");
                }

                await server.DisposeAsync();
                await recovering.ContinueWith(static _ => { }, TaskScheduler.Default);
                Tell("dead");
                if (random.Next(3) == 0)
                    await TearAsync(folder);
            }

            await using (var next = Server(options))
            {
                while (Directory.EnumerateFiles(folder).Any())
                    await InsistAsync(() => next.RecoverAsync(Cancel));
            }

            var ended = await db.Conversations.FindAsync(Caller.Service, conversation.Id, Cancel);
            (ended.Status, ended.EndReason).ShouldBe(
                end is not null ? (ConversationStatus.Completed, end) : endsWithServer ? (ConversationStatus.Failed, EndReasons.ServerLost)
                : (ConversationStatus.Active, null));
            (await KeptRecord.EventsAsync(db, conversation.Id, Cancel)).Select(e => (e.Direction, e.Payload)).ShouldBe(accepted);
            if (accepted.Count > 0)
                await KeptRecord.ShouldReplayToItselfAsync(db, conversation.Id, empty, Cancel);
        }

        // A process of its own: nothing is shared with the ones before but the database and the folder.
        private LiveRecorders Server(VoxbaseOptions options)
        {
            var conversations = new Conversations(flaky, db.Partitions, options, db.Time);
            return new LiveRecorders(new Captures(flaky, conversations, db.Time), conversations, new CallAdmission(new RunningCalls()), options, db.Time);
        }

        private async Task WriteScriptAsync()
        {
            var call = random.Next(4) == 0 ? LiveLogs.Call($"live_{seed}") : await Logs.EventsAsync(Logs.Demo());
            foreach (var e in call.Where(e => e.Direction is EventDirections.Server or EventDirections.Client).Take(random.Next(120)))
            {
                while (random.Next(3) == 0)
                    script.Add(Noise());
                script.Add((e.Direction == EventDirections.Server, e.Payload.Replace("\"sess_", $"\"sess_{seed}_", StringComparison.Ordinal)));
            }
        }

        // Audio with a name and without, many of them alike; things that are no events.
        private (bool FromServer, string Frame) Noise() => random.Next(8) switch
        {
            0 => (true, $$"""{"type":"response.output_audio.delta","event_id":"{{Guid.NewGuid():n}}","delta":"{{Audio()}}"}"""),
            1 => (true, """{"type":"response.output_audio.delta","delta":"AAAA"}"""),
            2 => (random.Next(2) == 0, "no event"),
            3 => (false, ""),
            _ => (false, $$"""{"type":"input_audio_buffer.append","audio":"{{Audio()}}"}"""),
        };

        private string Audio() => new((char)('A' + random.Next(2)), 4 * random.Next(random.Next(20) == 0 ? 5_000 : 50));

        private async Task PlayAsync(LiveRecorder recorder)
        {
            for (var left = random.Next(script.Count - played + 1); left > 0; left--, played++)
            {
                var (fromServer, frame) = script[played];
                var bytes = Encoding.UTF8.GetBytes(frame);
                recorder.Record(fromServer, bytes).ShouldBeTrue();
                var e = ProviderLog.Frame(fromServer ? EventDirections.Server : EventDirections.Client, 0, bytes, isText: true);
                accepted.Add((e.Direction, e.Payload));
                // The bytes are the caller's again.
                Array.Fill(bytes, (byte)'x');
                switch (random.Next(30))
                {
                    case 0:
                        await recorder.FlushAsync(Cancel);
                        break;
                    case 1:
                        _ = recorder.FlushAsync(Cancel);
                        break;
                    case < 5:
                        await PauseAsync();
                        break;
                }
            }

            Tell($"{accepted.Count} accepted");
            await PauseAsync();
        }

        private Task PauseAsync() => random.Next(3) == 0 ? Task.CompletedTask : Task.Delay(random.Next(40), Cancel);

        // A machine that breaks down leaves half a record.
        private async Task TearAsync(string folder)
        {
            foreach (var path in Directory.EnumerateFiles(folder))
            {
                await using var file = new FileStream(path, FileMode.Append);
                var torn = new byte[random.Next(1, 40)];
                random.NextBytes(torn);
                file.Write(torn);
                Tell("torn");
            }
        }

        private async Task<T> InsistAsync<T>(Func<Task<T>> work)
        {
            while (true)
            {
                try
                {
                    return await work();
                }
                catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
                {
                    Tell(e.Code);
                }
            }
        }

        private void Tell(string what)
        {
            lock (told)
                told.Append(what).Append("; ");
        }
    }
}
