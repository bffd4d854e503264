using System.Text;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Tests.Capture;

public sealed class TranscriptImportsTests(TestCluster cluster)
{
    private const string Call =
        """
        WEBVTT

        00:00:01.000 --> 00:00:03.000
        <v Agent Mira>Good morning.

        00:00:04.000 --> 00:00:09.500
        <v Ada>I'd like to move my appointment.

        00:0?:00.000 --> 00:00:09.500
        <v Ada>Lost.
        """;

    private static readonly DateTimeOffset Start = new(2026, 11, 3, 10, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_transcript_becomes_a_conversation_with_turns_and_participants()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();

        var result = await ImportAsync(db, user, Call, new TranscriptImport { StartedAt = Start, Name = "A call", Language = "en" });

        (result.IsNew, result.Format, result.TurnCount, result.NewTurns, result.AssistantTurns).ShouldBe((true, "vtt", 2, 2, 1));
        result.Speakers.ShouldBe(["Agent Mira", "Ada"]);
        result.SkippedCount.ShouldBe(1);
        result.Faults.ShouldHaveSingleItem().Line.ShouldBe(9);
        var record = await db.Conversations.GetAsync(user, result.ConversationId, Cancel);
        var conversation = record.Conversation;
        (conversation.Kind, conversation.Status, conversation.UserId, conversation.Name).ShouldBe(
            (ConversationKind.Transcript, ConversationStatus.Completed, user.UserId, "A call"));
        (conversation.StartedAt, conversation.EndedAt).ShouldBe((Start, Start.AddSeconds(9.5)));
        conversation.Metadata.GetProperty("content_sha256").GetString().ShouldBe(result.ContentSha256);
        record.Turns.Select(turn => (turn.Role, turn.Speaker, turn.RawText, turn.StartedAt, turn.EndedAt, turn.Language)).ShouldBe(
        [
            (TurnRole.Assistant, "Agent Mira", "Good morning.", Start.AddSeconds(1), Start.AddSeconds(3), "en"),
            (TurnRole.User, "Ada", "I'd like to move my appointment.", Start.AddSeconds(4), Start.AddSeconds(9.5), "en"),
        ]);
        record.Participants.Select(p => (p.Identity, p.Type, p.JoinedAt, p.LeftAt)).ShouldBe(
        [
            ("Agent Mira", ParticipantType.Agent, Start.AddSeconds(1), (DateTimeOffset?)Start.AddSeconds(9.5)),
            ("Ada", ParticipantType.User, Start.AddSeconds(4), Start.AddSeconds(9.5)),
        ]);
    }

    [Fact]
    public async Task The_same_content_again_is_the_same_conversation_and_nothing_new()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var first = await ImportAsync(db, user, Call, new TranscriptImport { StartedAt = Start });
        var before = await RowsAsync(db);

        var again = await ImportAsync(db, user, Call, new TranscriptImport { StartedAt = Start.AddDays(1), Name = "other" });

        again.ShouldBe(first with { IsNew = false, NewTurns = 0, Faults = again.Faults, Speakers = again.Speakers });
        (await RowsAsync(db)).ShouldBe(before);
        // Somebody else's copy is somebody else's conversation, and so is another content.
        var other = await ImportAsync(db, await db.NewUserAsync(), Call);
        other.ConversationId.ShouldNotBe(first.ConversationId);
        (await ImportAsync(db, user, Call + "\n")).IsNew.ShouldBeTrue();
    }

    [Fact]
    public async Task An_import_broken_off_and_repeated_leaves_what_a_whole_one_does()
    {
        var text = Long(1_700);
        await using var whole = await cluster.CreateDatabaseAsync();
        await ImportAsync(whole, Caller.Service, text, new TranscriptImport { StartedAt = Start });
        var expected = await RowsAsync(whole);

        await using var db = await cluster.CreateDatabaseAsync();
        for (var commits = 1; commits <= 2; commits++)
        {
            using var stop = new CancellationTokenSource();
            var left = commits;
            await Should.ThrowAsync<OperationCanceledException>(() => Imports(db).ImportAsync(
                Caller.Service, Stream(text), new TranscriptImport { StartedAt = Start },
                new Told(_ =>
                {
                    if (--left == 0)
                        stop.Cancel();
                }), stop.Token));
            (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe((long)commits * TranscriptImports.TurnsPerAppend);
            (await db.ScalarAsync(Caller.Service, "select status::text from vox.conversations")).ShouldBe("active");
        }

        var result = await ImportAsync(db, Caller.Service, text);
        (result.TurnCount, result.NewTurns).ShouldBe((1_700, 1_700 - (2 * TranscriptImports.TurnsPerAppend)));
        (await RowsAsync(db)).ShouldBe(expected);
    }

    [Fact]
    public async Task Many_imports_of_one_file_at_once_import_it_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var text = Long(1_100);
        var results = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => ImportAsync(db, Caller.Service, text))));
        results.Select(result => result.ConversationId).Distinct().ShouldHaveSingleItem();
        results.Count(result => result.IsNew).ShouldBe(1);
        results.Sum(result => result.NewTurns).ShouldBe(1_100);
        var conversation = await db.Conversations.FindAsync(Caller.Service, results[0].ConversationId, Cancel);
        conversation.TurnCount.ShouldBe(1_100);
        (await db.ScalarAsync(
            Caller.Service,
            "select bool_and(raw_text = 'turn ' || sequence_number) from vox.turns")).ShouldBe(true, "in the order of the file");
    }

    [Fact]
    public async Task What_cannot_be_imported_is_refused_and_changes_nothing()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        await FailsAsync("transcript_empty", user, "");
        await FailsAsync("transcript_empty", user, "", new TranscriptImport { Format = TranscriptFormat.Json });
        await FailsAsync("transcript_format_unknown", user, "no transcript at all");
        await FailsAsync("transcript_unusable", user, "WEBVTT\n\nNOTE nothing\n");
        await FailsAsync("transcript_unusable", user, "{\"segments\":[]}");
        await FailsAsync("transcript_unusable", user, Call, new TranscriptImport { Format = TranscriptFormat.Jsonl });
        await FailsAsync("input_invalid", user, Call, new TranscriptImport { StartedAt = DateTimeOffset.MinValue });
        await FailsAsync("input_invalid", user, Call, new TranscriptImport { Name = "\0" });
        await FailsAsync("input_invalid", user, Call, new TranscriptImport { Language = "English, please" });
        await FailsAsync("capture_refused", Caller.Anonymous, Call);
        await FailsAsync("capture_refused", user, Call, new TranscriptImport { UserId = Guid.NewGuid() });
        await FailsAsync("user_not_found", Caller.Service, Call, new TranscriptImport { UserId = Guid.NewGuid() });
        (await Should.ThrowAsync<VoxbaseException>(() => Imports(db).ImportAsync(user, new Endless(), cancellationToken: Cancel))).Code.ShouldBe("transcript_too_large");
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);

        async Task FailsAsync(string code, Caller caller, string text, TranscriptImport? import = null) =>
            (await Should.ThrowAsync<VoxbaseException>(() => ImportAsync(db, caller, text, import))).Code.ShouldBe(code);
    }

    [Fact]
    public async Task Strange_texts_times_and_names_are_kept()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        byte[] file =
        [
            .. "[{\"speaker\":\""u8, .. Encoding.UTF8.GetBytes(new string('é', 600)), .. "\",\"text\":\"a\\u0000b\",\"start\":9,\"end\":1},"u8,
            .. "{\"speaker\":\"\\u0000\",\"text\":\""u8, 0xFF, .. "\",\"start\":-1},{\"text\":\"late\",\"start\":2147483,\"end\":1e99}]"u8,
        ];
        var result = await Imports(db).ImportAsync(Caller.Service, new MemoryStream(file), new TranscriptImport { StartedAt = Start }, cancellationToken: Cancel);
        (result.TurnCount, result.NewTurns, result.SkippedCount).ShouldBe((3, 3, 0));
        result.ChangedCount.ShouldBe(6);
        var turns = await db.Conversations.TurnsAsync(Caller.Service, result.ConversationId, cancellationToken: Cancel);
        turns.Select(turn => turn.RawText).ShouldBe(["a\uFFFDb", "\uFFFD", "late"]);
        turns[0].Speaker!.Length.ShouldBe(256);
    }

    [Fact]
    public async Task The_file_s_own_time_of_day_is_the_conversation_s()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var result = await ImportAsync(
            db, Caller.Service, """[{"role":"user","content":"Hi","timestamp":"2026-11-03T10:00:00Z"},{"role":"assistant","content":"Ho","timestamp":"2026-11-03T10:01:30Z"}]""");
        (result.StartedAt, result.DurationSeconds, result.AssistantTurns).ShouldBe((Start, 90, 1));
    }

    // The reader may run ahead of what it gives by what it needs, however long the file is.
    [Theory]
    [InlineData(TranscriptFormat.Vtt)]
    [InlineData(TranscriptFormat.Text)]
    [InlineData(TranscriptFormat.Json)]
    [InlineData(TranscriptFormat.Jsonl)]
    public async Task Reading_never_holds_more_than_a_little_of_the_file(TranscriptFormat format)
    {
        var megabytes = int.TryParse(Environment.GetEnvironmentVariable("VOXBASE_TRANSCRIPT_MB"), out var asked) ? asked : 16;
        await using var file = new MadeUp(format, (long)megabytes << 20);
        var (given, cues) = (0L, 0);
        await foreach (var item in TranscriptReader.ReadAsync(file, format, Cancel))
        {
            item.Fault.ShouldBeNull();
            cues++;
            given += MadeUp.Text.Length;
            (file.Position - given).ShouldBeLessThan((64 << 10) + (given / 4) + 4_096, "what is read and not yet given, beside the times and names");
        }

        cues.ShouldBe(file.Blocks);
    }

    private static TranscriptImports Imports(TestDatabase db) => new(db.Conversations, db.Time);

    private static Task<TranscriptImportResult> ImportAsync(TestDatabase db, Caller caller, string text, TranscriptImport? import = null) =>
        Imports(db).ImportAsync(caller, Stream(text), import, cancellationToken: Cancel);

    private static MemoryStream Stream(string text) => new(Encoding.UTF8.GetBytes(text));

    private static string Long(int turns) => string.Join('\n', Enumerable.Range(1, turns).Select(i => $"[00:00:{i % 60:00}] {(i % 2 == 0 ? "Ada" : "Bot")}: turn {i}"));

    private static async Task<string> RowsAsync(TestDatabase db) => (string)(await db.ScalarAsync(
        Caller.Service,
        """
        select jsonb_pretty(jsonb_build_object(
          'conversations', (select jsonb_agg(to_jsonb(c) - array['id', 'created_at', 'updated_at'] order by c.id) from vox.conversations c),
          'turns', (select jsonb_agg(to_jsonb(t) - array['id', 'conversation_id', 'created_at', 'updated_at'] order by t.sequence_number) from vox.turns t),
          'participants', (select jsonb_agg(to_jsonb(p) - array['id', 'conversation_id', 'created_at', 'updated_at'] order by p.identity) from vox.participants p)))
        """))!;

    private sealed class Told(Action<TranscriptProgress> tell) : IProgress<TranscriptProgress>
    {
        public void Report(TranscriptProgress value) => tell(value);
    }

    /// <summary>What a client that never stops sends; does not seek.</summary>
    private sealed class Endless : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            buffer.Span.Fill((byte)'\n');
            return new ValueTask<int>(buffer.Length);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
