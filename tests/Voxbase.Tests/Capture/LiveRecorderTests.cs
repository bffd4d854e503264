using System.Text;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Tests.Capture;

public sealed class LiveRecorderTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_recorded_call_leaves_the_rows_of_its_replayed_log()
    {
        await using var live = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(live);
        var recorder = await live.Recorders.OpenAsync(conversation, cancellationToken: Cancel);
        foreach (var (fromServer, frame) in await FramesAsync())
            recorder.Record(fromServer, frame).ShouldBeTrue();
        await recorder.EndAsync(EndReasons.ClientClosed, Cancel);

        var ended = await live.Conversations.FindAsync(Caller.Service, conversation.Id, Cancel);
        (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.ClientClosed));
        ended.SessionId.ShouldStartWith("sess_");
        (await Recount.FaultsAsync(live, Cancel)).ShouldBeEmpty();
        await ShouldEqualItsReplayAsync(live, conversation);
        Directory.EnumerateFiles(live.Options.Recording.SpoolFolder!).ShouldBeEmpty();
        live.Recorders.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Nothing_is_recorded_after_the_end_and_the_first_end_counts()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(db);
        var recorder = await db.Recorders.OpenAsync(conversation, cancellationToken: Cancel);
        recorder.Record(true, """{"type":"session.created","event_id":"e1","session":{"id":"sess_end"}}"""u8.ToArray()).ShouldBeTrue();
        await Task.WhenAll(recorder.EndAsync(EndReasons.Idle, Cancel), recorder.EndAsync(EndReasons.ClientClosed, Cancel));
        recorder.Record(true, "{}"u8.ToArray()).ShouldBeFalse();

        (await db.Conversations.FindAsync(Caller.Service, conversation.Id, Cancel)).EndReason.ShouldBe(EndReasons.Idle);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(1L);
    }

    [Fact]
    public async Task What_is_no_event_is_kept_byte_for_byte()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(db);
        var recorder = await db.Recorders.OpenAsync(conversation, cancellationToken: Cancel);
        byte[][] frames = [[0, 1, 0xff], "not json"u8.ToArray(), "[1]"u8.ToArray(), """{"no":"type"}"""u8.ToArray(), [], [0xc3, 0x28]];
        for (var i = 0; i < frames.Length; i++)
            recorder.Record(i % 2 == 0, frames[i], isText: i > 0).ShouldBeTrue();
        await recorder.FlushAsync(Cancel);

        var kept = (string)(await db.ScalarAsync(
            Caller.Service,
            "select string_agg(payload::jsonb ->> 'base64' || ' ' || direction, ',' order by ordinal) from vox.provider_events"))!;
        kept.ShouldBe(string.Join(',', frames.Select(frame => $"{Convert.ToBase64String(frame)} object")));
        await recorder.EndAsync(EndReasons.ClientClosed, Cancel);
        await ShouldEqualItsReplayAsync(db, conversation);
    }

    [Fact]
    public async Task A_frame_larger_than_a_commit_is_recorded_whole()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Recording.CommitBytes = 64 << 10);
        var conversation = await StartAsync(db);
        var recorder = await db.Recorders.OpenAsync(conversation, cancellationToken: Cancel);
        var audio = new string('A', 3 << 20);
        for (var i = 0; i < 5; i++)
            recorder.Record(false, Encoding.UTF8.GetBytes($$"""{"type":"input_audio_buffer.append","audio":"{{audio}}"}""")).ShouldBeTrue();
        await recorder.EndAsync(EndReasons.ClientClosed, Cancel);
        (await db.ScalarAsync(Caller.Service, "select sum(length(payload)) / count(*) from vox.provider_events")).ShouldBe((decimal)(audio.Length + 47));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(5L);
    }

    // Wherever a process dies, between any two commits, in the middle of one or of a write: what it had accepted is there afterwards.
    [Theory]
    [InlineData(0, false, true)]
    [InlineData(0, false, false)]
    [InlineData(30, true, false)]
    [InlineData(111, true, true)]
    [InlineData(111, false, false)]
    [InlineData(200, true, true)]
    public async Task What_an_abandoned_recorder_accepted_is_recovered(int accepted, bool flushedHalf, bool isTorn)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(db);
        var frames = await FramesAsync();
        await using (var dead = new LiveRecorders(db.Captures, db.Conversations, new CallAdmission(new RunningCalls()), db.Options, db.Time))
        {
            var recorder = await dead.OpenAsync(conversation, cancellationToken: Cancel);
            for (var i = 0; i < accepted; i++)
            {
                recorder.Record(frames[i].FromServer, frames[i].Frame).ShouldBeTrue();
                if (flushedHalf && i == accepted / 2)
                    await recorder.FlushAsync(Cancel);
            }
        }

        var spool = Directory.EnumerateFiles(db.Options.Recording.SpoolFolder!).ShouldHaveSingleItem();
        // A killed process leaves whole records; a machine that breaks down, half of one.
        if (isTorn)
        {
            await using var file = new FileStream(spool, FileMode.Append);
            file.Write([200, 0, 0, 0, 1, 2, 3]);
        }

        (await db.Recorders.RecoverAsync(Cancel)).ShouldBe(1);

        var ended = await db.Conversations.FindAsync(Caller.Service, conversation.Id, Cancel);
        (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Failed, EndReasons.ServerLost));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe((long)accepted);
        if (accepted > 0)
            await ShouldEqualItsReplayAsync(db, conversation);
        (await db.Recorders.RecoverAsync(Cancel)).ShouldBe(0);
        Directory.EnumerateFiles(db.Options.Recording.SpoolFolder!).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_call_that_outlives_its_server_is_left_running_and_goes_on()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(db);
        var frames = await FramesAsync();
        await using (var dead = new LiveRecorders(db.Captures, db.Conversations, new CallAdmission(new RunningCalls()), db.Options, db.Time))
        {
            var first = await dead.OpenAsync(conversation, endsWithServer: false, Cancel);
            foreach (var (fromServer, frame) in frames[..60])
                first.Record(fromServer, frame);
        }

        (await db.Recorders.RecoverAsync(Cancel)).ShouldBe(1);
        (await db.Conversations.FindAsync(Caller.Service, conversation.Id, Cancel)).Status.ShouldBe(ConversationStatus.Active);

        var second = await db.Recorders.OpenAsync(conversation, endsWithServer: false, Cancel);
        foreach (var (fromServer, frame) in frames[60..])
            second.Record(fromServer, frame);
        await second.EndAsync(EndReasons.UpstreamClosed, Cancel);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe((long)frames.Count);
        await ShouldEqualItsReplayAsync(db, conversation);
    }

    [Fact]
    public async Task What_was_recorded_before_is_committed_before_a_call_goes_on()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(db);
        var frames = await FramesAsync();
        for (var i = 0; i < 80; i += 20)
        {
            // Nobody has asked for recovery: whoever goes on with the call sees to it.
            await using var server = new LiveRecorders(db.Captures, db.Conversations, new CallAdmission(new RunningCalls()), db.Options, db.Time);
            var recorder = await server.OpenAsync(conversation, endsWithServer: false, Cancel);
            foreach (var (fromServer, frame) in frames[i..(i + 20)])
                recorder.Record(fromServer, frame).ShouldBeTrue();
        }

        (await db.Recorders.RecoverAsync(Cancel)).ShouldBe(1);
        (await KeptRecord.EventsAsync(db, conversation.Id, Cancel)).Select(e => e.Payload).ShouldBe(frames[..80].Select(f => Encoding.UTF8.GetString(f.Frame)));
        await ShouldEqualItsReplayAsync(db, conversation);
    }

    // The spool is emptied now and then. Its last record is not gone before the conversation has its end.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_long_call_ends_as_it_ended_though_the_database_refuses_its_end_at_first(bool dies)
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Recording.CommitBytes = 64 << 10);
        var conversation = await StartAsync(db);
        await AsOwnerAsync(db, """
            create sequence refusals;
            create function refuse() returns trigger language plpgsql as
              $$begin perform nextval('public.refusals'); raise 'not now' using errcode = 'cannot_connect_now'; end$$;
            alter function refuse() security definer;
            create trigger refuse before update of ended_at on vox.conversations for each row when (new.ended_at is not null) execute function refuse();
            """);
        await using (var server = new LiveRecorders(db.Captures, db.Conversations, new CallAdmission(new RunningCalls()), db.Options, db.Time))
        {
            var recorder = await server.OpenAsync(conversation, cancellationToken: Cancel);
            var audio = Encoding.UTF8.GetBytes($$"""{"type":"input_audio_buffer.append","audio":"{{new string('A', 30_000)}}"}""");
            for (var i = 0; i < 30; i++)
                recorder.Record(false, audio).ShouldBeTrue();
            var ending = recorder.EndAsync(EndReasons.Idle, Cancel);
            while (!(bool)(await AsOwnerAsync(db, "select is_called from refusals"))!)
                await Task.Delay(10, Cancel);
            if (!dies)
            {
                await AsOwnerAsync(db, "drop trigger refuse on vox.conversations");
                await ending;
            }
        }

        if (dies)
        {
            await AsOwnerAsync(db, "drop trigger refuse on vox.conversations");
            (await db.Recorders.RecoverAsync(Cancel)).ShouldBe(1);
        }

        var ended = await db.Conversations.FindAsync(Caller.Service, conversation.Id, Cancel);
        (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.Idle));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(30L);
        Directory.EnumerateFiles(db.Options.Recording.SpoolFolder!).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_spool_that_cannot_be_committed_keeps_no_other_from_it()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var calls = new List<Conversation>();
        await using (var dead = new LiveRecorders(db.Captures, db.Conversations, new CallAdmission(new RunningCalls()), db.Options, db.Time))
        {
            for (var i = 0; i < 3; i++)
            {
                calls.Add(await StartAsync(db));
                (await dead.OpenAsync(calls[i], cancellationToken: Cancel)).Record(true, Encoding.UTF8.GetBytes($$"""{"type":"error","event_id":"e{{i}}"}"""));
            }
        }

        await AsOwnerAsync(db, $"""
            create function refuse() returns trigger language plpgsql as $$begin raise 'never' using errcode = 'data_corrupted'; end$$;
            create trigger refuse before insert on vox.provider_events for each row when (new.conversation_id = '{calls[0].Id}') execute function refuse();
            """);

        await Should.ThrowAsync<Exception>(() => db.Recorders.RecoverAsync(Cancel));

        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.conversations where end_reason = 'server_lost'")).ShouldBe(2L);
        await AsOwnerAsync(db, "drop trigger refuse on vox.provider_events");
        (await db.Recorders.RecoverAsync(Cancel)).ShouldBe(1);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(3L);
    }

    // What comes live lies in a buffer that somebody else fills anew as soon as it is committed.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_read_of_a_frame_does_not_lie_in_its_buffer(bool isLive)
    {
        // Before a session says which it is, events are kept to be read again.
        List<LoggedEvent> events = [Logs.Server("{'type':'error','event_id':'e_first','error':{'type':'server_error','code':'early'}}", 1)];
        events.AddRange(isLive ? LiveLogs.Call() : await Logs.EventsAsync(Logs.Demo()));
        var (plain, buffered, ordinal) = (new OpenAiReader(), new OpenAiReader(), 0);
        foreach (var e in events.Where(e => e.Direction is EventDirections.Server or EventDirections.Client))
        {
            var buffer = Encoding.UTF8.GetBytes(e.Payload);
            var frame = ProviderLog.Frame(e.Direction, e.OffsetMs ?? 0, buffer, isText: true);
            var changed = buffered.Read(++ordinal, frame);
            Array.Fill(buffer, (byte)'x');
            changed.Turns.ShouldBe(plain.Read(ordinal, e with { OffsetMs = e.OffsetMs ?? 0, At = null }).Turns);
        }

        buffered.IsLive.ShouldBe(isLive);
        Logs.Whole(buffered.Snapshot()).ShouldBe(Logs.Whole(plain.Snapshot()));
    }

    [Fact]
    public async Task Recovery_leaves_the_calls_of_the_living_and_of_other_databases_alone()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var other = await cluster.CreateDatabaseAsync(options => options.Recording.SpoolFolder = db.Options.Recording.SpoolFolder);
        var living = await db.Recorders.OpenAsync(await StartAsync(db), cancellationToken: Cancel);
        living.Record(true, """{"type":"session.created","event_id":"e1","session":{"id":"sess_a"}}"""u8.ToArray());
        await using (var dead = new LiveRecorders(other.Captures, other.Conversations, new CallAdmission(new RunningCalls()), other.Options, other.Time))
            (await dead.OpenAsync(await StartAsync(other), cancellationToken: Cancel)).Record(true, """{"type":"session.created"}"""u8.ToArray());

        (await db.Recorders.RecoverAsync(Cancel)).ShouldBe(0);
        Directory.EnumerateFiles(db.Options.Recording.SpoolFolder!).Count().ShouldBe(2);
        (await other.Recorders.RecoverAsync(Cancel)).ShouldBe(1);
        await living.EndAsync(EndReasons.ClientClosed, Cancel);
        Directory.EnumerateFiles(db.Options.Recording.SpoolFolder!).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_database_that_comes_back_gets_what_was_said_meanwhile()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(db);
        var frames = await FramesAsync();
        var recorder = await db.Recorders.OpenAsync(conversation, cancellationToken: Cancel);
        for (var i = 0; i < frames.Count; i++)
        {
            recorder.Record(frames[i].FromServer, frames[i].Frame).ShouldBeTrue();
            if (i % 50 == 25)
            {
                await recorder.FlushAsync(Cancel);
                await CutAsync(db);
            }
        }

        await recorder.EndAsync(EndReasons.ClientClosed, Cancel);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe((long)frames.Count);
        await ShouldEqualItsReplayAsync(db, conversation);
    }

    [Fact]
    public async Task Hundreds_of_calls_share_a_few_connections()
    {
        await using var db = await cluster.CreateDatabaseAsync(pooled: 6);
        var frames = await FramesAsync();
        var recorders = await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ =>
        {
            var recorder = await db.Recorders.OpenAsync(await StartAsync(db), cancellationToken: Cancel);
            foreach (var (fromServer, frame) in frames[..20])
                recorder.Record(fromServer, frame);
            return recorder;
        }));
        await Task.WhenAll(recorders.Select(each => each.EndAsync(EndReasons.ClientClosed, Cancel)));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(2_000L);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.conversations where status = 'completed'")).ShouldBe(100L);
        (await db.ScalarAsync(Caller.Service, "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"))
            .ShouldBe(0L);
    }

    [Fact]
    public async Task A_conversation_deleted_meanwhile_takes_its_spool_along()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var conversation = await db.Conversations.StartAsync(user, new NewConversation { UserId = user.UserId, Status = ConversationStatus.Active }, Cancel);
        var recorder = await db.Recorders.OpenAsync(conversation, cancellationToken: Cancel);
        (await db.ExecuteAsync(Caller.Service, "delete from vox.conversations")).ShouldBe(1);
        recorder.Record(true, """{"type":"session.created","event_id":"e1","session":{"id":"sess_a"}}"""u8.ToArray());
        await recorder.EndAsync(EndReasons.ClientClosed, Cancel);
        Directory.EnumerateFiles(db.Options.Recording.SpoolFolder!).ShouldBeEmpty();
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_to_is_told_before_the_call()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Recording.SpoolFolder = "/proc/voxbase/spool");
        var error = await Should.ThrowAsync<VoxbaseException>(async () => await db.Recorders.OpenAsync(await StartAsync(db), cancellationToken: Cancel));
        error.Code.ShouldBe("recording_unavailable");
    }

    private static Task<Conversation> StartAsync(TestDatabase db) =>
        db.Conversations.StartAsync(Caller.Service, new NewConversation { Status = ConversationStatus.Active, AiAgentUsed = true, LlmProvider = "openai" }, Cancel);

    private static async Task CutAsync(TestDatabase db)
    {
        await using var superuser = new Npgsql.NpgsqlConnection(db.ConnectionString + ";Pooling=false");
        await superuser.OpenAsync(Cancel);
        await using var cut = new Npgsql.NpgsqlCommand(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()", superuser);
        await cut.ExecuteNonQueryAsync(Cancel);
    }

    private static async Task<object?> AsOwnerAsync(TestDatabase db, string sql)
    {
        await using var owner = new Npgsql.NpgsqlConnection(db.ConnectionString + ";Pooling=false");
        await owner.OpenAsync(Cancel);
        await using var command = new Npgsql.NpgsqlCommand(sql, owner);
        return await command.ExecuteScalarAsync(Cancel);
    }

    private static async Task<List<(bool FromServer, byte[] Frame)>> FramesAsync()
    {
        var frames = new List<(bool, byte[])>();
        await using var log = File.OpenRead(Logs.Demo());
        await foreach (var line in ProviderLog.ReadAsync(log, Cancel))
        {
            if (line.Event is { Direction: EventDirections.Server or EventDirections.Client } e)
                frames.Add((e.Direction == EventDirections.Server, Encoding.UTF8.GetBytes(e.Payload)));
        }

        frames.Count.ShouldBeGreaterThan(200);
        return frames;
    }

    private async Task ShouldEqualItsReplayAsync(TestDatabase live, Conversation conversation)
    {
        await using var replayed = await cluster.CreateDatabaseAsync();
        await KeptRecord.ShouldReplayToItselfAsync(live, conversation.Id, replayed, Cancel);
    }
}
