using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Tests.Capture;

public sealed class CaptureLeaseTests(TestCluster cluster)
{
    private const string Locks = "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_capture_that_cannot_be_opened_leaves_its_conversation_to_others()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var settings = new CaptureSettings { EndWhenRead = false };
        await using (await db.Captures.OpenAsync(Caller.Service, "sess_1", settings, Cancel))
            (await db.ScalarAsync(Caller.Service, Locks)).ShouldBe(1L);
        (await db.ScalarAsync(Caller.Service, Locks)).ShouldBe(0L);

        // Fails where the kept events are read, once the lock is taken.
        await using var superuser = new Npgsql.NpgsqlConnection(
            cluster.SuperuserConnectionStringOf(new Npgsql.NpgsqlConnectionStringBuilder(db.ConnectionString).Database!) + ";Pooling=false");
        await superuser.OpenAsync(Cancel);
        await using var hide = new Npgsql.NpgsqlCommand("alter table vox.provider_events rename to hidden", superuser);
        await hide.ExecuteNonQueryAsync(Cancel);
        await Should.ThrowAsync<VoxbaseException>(() => db.Captures.OpenAsync(Caller.Service, "sess_1", settings, Cancel));
        (await db.ScalarAsync(Caller.Service, Locks)).ShouldBe(0L, "the pool would keep the lock with the connection");
    }
}
