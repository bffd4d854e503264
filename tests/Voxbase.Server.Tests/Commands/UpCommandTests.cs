using System.Net;
using System.Net.Sockets;

namespace Voxbase.Server.Tests.Commands;

public sealed class UpCommandTests(SharedHome shared) : IAsyncLifetime
{
    private readonly Cli cli = new(Cli.NewHome());
    private readonly HttpClient client = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        if (Directory.Exists(cli.Home))
            Directory.Delete(cli.Home, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task It_answers_and_ctrl_c_stops_it_and_its_database()
    {
        await using (var up = await UpProcess.StartAsync(cli))
        {
            (await client.GetAsync(up.Url + "/health", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
            UpProcess.PostmasterOf(cli).ShouldNotBeNull();
            if (OperatingSystem.IsLinux())
                up.Threads.Count(thread => thread == ".NET Sockets").ShouldBe(2);

            var ran = await up.InterruptAsync();

            ran.Code.ShouldBe(0);
            ran.Error.ShouldBeEmpty();
            UpProcess.PostmasterOf(cli).ShouldBeNull();
        }

        await using var again = await UpProcess.StartAsync(cli);
        (await client.GetAsync(again.Url + "/health", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Two_of_them_share_one_home_and_the_second_outlives_the_first()
    {
        await using var first = await UpProcess.StartAsync(cli);
        await using var second = await UpProcess.StartAsync(cli);
        (await client.GetAsync(first.Url + "/ready", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await client.GetAsync(second.Url + "/ready", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);

        (await first.InterruptAsync()).Code.ShouldBe(0);

        await EventuallyReadyAsync(second.Url);
        (await second.InterruptAsync()).Code.ShouldBe(0);
        UpProcess.PostmasterOf(cli).ShouldBeNull();
    }

    [Fact]
    public async Task A_database_that_is_killed_comes_back()
    {
        await using var up = await UpProcess.StartAsync(cli);
        var before = UpProcess.PostmasterOf(cli).ShouldNotBeNull();

        UpProcess.Signal(before, "KILL");

        while (UpProcess.PostmasterOf(cli) is not { } now || now == before)
            await Task.Delay(50, Cancellation);
        await EventuallyReadyAsync(up.Url);
        (await up.InterruptAsync()).Code.ShouldBe(0);
    }

    [Fact]
    public async Task A_taken_port_is_told_before_anything_is_made()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        var ran = await cli.RunAsync("up", "--port", ((IPEndPoint)listener.LocalEndpoint).Port.ToString());

        ran.Code.ShouldBe(1);
        ran.Error.ShouldStartWith("error port_taken: ");
        ran.Error.ShouldContain("--port");
        Directory.Exists(cli.Home).ShouldBeFalse();
    }

    [Fact]
    public async Task A_database_that_cannot_be_reached_is_told_without_a_stack_trace()
    {
        var ran = await cli.RunAsync("up", "--port", "0", "--database", "Host=127.0.0.1;Port=1;Username=a;Password=hush;Database=d;Timeout=2");

        ran.Code.ShouldBe(1);
        ran.Error.ShouldStartWith("error database_unavailable: ");
        ran.Error.ShouldNotContain("   at ");
        ran.Error.ShouldNotContain("hush");
    }

    [Fact]
    public async Task The_demo_shows_the_record_of_a_call_and_how_to_go_on()
    {
        await using var up = await UpProcess.StartAsync(shared.Cli, "--demo", "--exit-after-demo");

        var ran = await up.EndAsync();

        ran.Code.ShouldBe(0, ran.Error);
        ran.Output.ShouldContain("find_slots");
        ran.Output.ShouldContain("2 interrupted");
        ran.Output.ShouldContain("curl -H \"Authorization: Bearer $(voxbase token --user demo@example.org)\"");
        ran.Output.ShouldNotContain("\u001b");
    }

    [Fact]
    public async Task A_command_without_a_running_database_starts_one_and_stops_it()
    {
        (await cli.RunAsync("list", "--json")).Succeeded().Json.GetArrayLength().ShouldBe(0);

        Directory.Exists(cli.Home).ShouldBeTrue();
        UpProcess.PostmasterOf(cli).ShouldBeNull();
    }

    private async Task EventuallyReadyAsync(string url)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        // Readiness says whether the database answers; it has a rhythm of its own.
        while ((await client.GetAsync(url + "/ready", patience.Token)).StatusCode != HttpStatusCode.OK)
            await Task.Delay(50, patience.Token);
    }
}
