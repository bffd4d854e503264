using System.Reflection;
using System.Text.Json;
using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests;

/// <summary>The statements of an append have the columns that its turns bring: each of them, alone and together, is kept as it came.</summary>
public sealed class TurnInsertsTests(TestCluster cluster)
{
    private static readonly PropertyInfo[] Columns =
        [.. typeof(NewTurn).GetProperties().Where(p => p.Name is not (nameof(NewTurn.Id) or nameof(NewTurn.Role))).OrderBy(p => p.MetadataToken)];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_column_comes_back_as_it_was_given_alone_among_others_and_with_all()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var conversation = (await db.Conversations.StartAsync(user, new NewConversation(), Cancel)).Id;
        var plain = new NewTurn { Role = TurnRole.Tool };
        var given = new List<NewTurn>();
        foreach (var column in Columns)
        {
            var turn = With(column);
            await AppendAsync(turn);
            // The same statement again, with another value.
            await AppendAsync(With(1, column));
            await AppendAsync(plain, turn, plain);
        }

        await AppendAsync(With(Columns));
        await AppendAsync(With(1, Columns));
        await AppendAsync(plain, With(Columns));
        await AppendAsync(plain);

        var kept = await db.Conversations.TurnsAsync(user, conversation, 0, given.Count, Cancel);
        kept.Count.ShouldBe(given.Count);
        foreach (var (was, now) in given.Zip(kept))
        {
            now.Role.ShouldBe(was.Role);
            foreach (var column in Columns)
                Text(column.GetValue(now)).ShouldBe(Text(column.GetValue(was) ?? Default(column)), column.Name);
        }

        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();

        async Task AppendAsync(params NewTurn[] turns)
        {
            var answer = await db.Conversations.AppendAsync(user, conversation, turns, Cancel);
            answer.Select(turn => turn.SequenceNumber).ShouldBe(Enumerable.Range(given.Count + 1, turns.Length));
            given.AddRange(turns);
        }
    }

    [Fact]
    public async Task A_lone_turn_whose_connection_was_cut_is_there_once_and_so_is_the_next()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var conversation = (await db.Conversations.StartAsync(user, new NewConversation(), Cancel)).Id;
        await using var superuser = new NpgsqlConnection(cluster.SuperuserConnectionStringOf(new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!));
        await superuser.OpenAsync(Cancel);
        await using var cut = new NpgsqlCommand(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and query like 'with target as%'", superuser);
        for (var i = 0; i < 10; i++)
        {
            (await db.Conversations.AppendAsync(user, conversation, Said(1)[0], Cancel)).SequenceNumber.ShouldBe((2 * i) + 1);
            (await cut.ExecuteScalarAsync(Cancel)).ShouldBe(1L);
            (await db.Conversations.AppendAsync(user, conversation, Said(1)[0], Cancel)).SequenceNumber.ShouldBe((2 * i) + 2);
        }

        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Whoever_may_not_write_a_conversation_adds_nothing_on_a_connection_that_just_served_its_owner(int turns)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, stranger) = (await db.NewUserAsync(), await db.NewUserAsync());
        var conversation = (await db.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        for (var i = 0; i < 3; i++)
        {
            await db.Conversations.AppendAsync(owner, conversation, Said(turns), Cancel);
            (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.AppendAsync(stranger, conversation, Said(turns), Cancel)))
                .Code.ShouldBe("conversation_not_found");
            (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.AppendAsync(Caller.Anonymous, conversation, Said(turns), Cancel)))
                .Code.ShouldBe("forbidden");
        }

        (await db.Conversations.FindAsync(owner, conversation, Cancel)).TurnCount.ShouldBe(3 * turns);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task An_admin_appends_to_the_conversations_of_others_for_as_long_as_they_are_one(int turns)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, admin) = (await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var conversation = (await db.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        await db.Conversations.AppendAsync(admin, conversation, Said(turns), Cancel);
        await db.Users.SetRoleAsServiceAsync(admin.UserId!.Value, isAdmin: false, Cancel);
        (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.AppendAsync(admin, conversation, Said(turns), Cancel)))
            .Code.ShouldBe("conversation_not_found");

        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns where user_id = $1", Parameter.Uuid(owner.UserId))).ShouldBe((long)turns);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe((long)turns);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_month_whose_partition_was_dropped_takes_turns_again(int turns)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var conversation = (await db.Conversations.StartAsync(user, new NewConversation(), Cancel)).Id;
        await db.Conversations.AppendAsync(user, conversation, Said(turns), Cancel);
        var partition = (string)(await db.ScalarAsync(Caller.Service, "select tableoid::regclass::text from vox.turns limit 1"))!;
        partition.ShouldMatch(@"^vox\.turns_\d{4}_\d{2}$");
        await using (var connection = await db.Database.OpenWithoutCallerAsync(Cancel))
        {
            await using var drop = new NpgsqlCommand($"drop table {partition}", connection);
            await drop.ExecuteNonQueryAsync(Cancel);
        }

        var answer = await db.Conversations.AppendAsync(user, conversation, Said(turns), Cancel);

        answer.Select(turn => turn.SequenceNumber).ShouldBe(Enumerable.Range(turns + 1, turns));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns where tableoid = 'vox.turns_default'::regclass")).ShouldBe((long)turns);
    }

    private static NewTurn[] Said(int count) => [.. Enumerable.Range(0, count).Select(_ => new NewTurn { Role = TurnRole.User, RawText = "said" })];

    private static NewTurn With(params PropertyInfo[] columns) => With(0, columns);

    private static NewTurn With(int version, params PropertyInfo[] columns)
    {
        var turn = new NewTurn { Role = TurnRole.User };
        foreach (var column in columns)
            column.SetValue(turn, Sample(column, version));
        return turn;
    }

    // Another value for each, so that no two could be mistaken for one another.
    private static object Sample(PropertyInfo column, int version)
    {
        var place = Array.IndexOf(Columns, column) + 1;
        var type = Nullable.GetUnderlyingType(column.PropertyType) ?? column.PropertyType;
        return type switch
        {
            _ when type == typeof(string) => $"{column.Name} of version {version}",
            _ when type == typeof(int) => (1000 * (version + 1)) + place,
            _ when type == typeof(bool) => true,
            _ when type == typeof(Guid) => new Guid(place, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)version),
            _ when type == typeof(DateTimeOffset) => new DateTimeOffset(2026, 1, 2, 3, 4 + version, place, TimeSpan.Zero),
            _ when type == typeof(CleaningLevel) => version == 0 ? CleaningLevel.Light : CleaningLevel.Full,
            _ when type == typeof(Confidence) => version == 0 ? Confidence.Medium : Confidence.High,
            _ when column.Name == nameof(NewTurn.Corrections) => JsonDocument.Parse($"[{version}]").RootElement,
            _ when type == typeof(JsonElement) => JsonDocument.Parse($$"""{"place": {{place + version}}}""").RootElement,
            _ => throw new NotSupportedException($"{column.Name} is a {type}"),
        };
    }

    private static object? Default(PropertyInfo column) => column.Name switch
    {
        nameof(NewTurn.Status) => "completed",
        nameof(NewTurn.Metadata) => JsonDocument.Parse("{}").RootElement,
        nameof(NewTurn.Corrections) => JsonDocument.Parse("[]").RootElement,
        _ => null,
    };

    private static string? Text(object? value) => value is JsonElement json ? JsonSerializer.Serialize(json) : value?.ToString();
}
