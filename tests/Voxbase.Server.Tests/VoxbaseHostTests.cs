using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Voxbase.Testing;

namespace Voxbase.Server.Tests;

public sealed class VoxbaseHostTests(TestCluster cluster) : IClassFixture<TestCluster>
{
    private const string Secret = "a secret for tests that is long enough";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_empty_database_is_migrated_and_served_on_loopback()
    {
        await using var host = await VoxbaseHost.StartAsync(Options(await cluster.CreateEmptyDatabaseAsync()), Cancel);
        new Uri(host.Url).Host.ShouldBe("127.0.0.1");
        using var http = new HttpClient { BaseAddress = new Uri(host.Url) };
        var ready = await http.GetAsync("/ready", Cancel);
        ready.StatusCode.ShouldBe(HttpStatusCode.OK);
        ready.Headers.Contains("Server").ShouldBeFalse();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Services.GetRequiredService<Tokens>().Mint("service_role"));
        (await http.PostAsync("/v1/conversations", new StringContent("{}", new MediaTypeHeaderValue("application/json")), Cancel)).StatusCode.ShouldBe(HttpStatusCode.Created);
        var nothing = await http.GetAsync("/", Cancel);
        nothing.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await nothing.Content.ReadAsStringAsync(Cancel)).ShouldContain("path_not_found");
        (await http.GetAsync("/openapi.json", Cancel)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_stop_lets_the_request_under_way_finish_and_takes_no_other()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var host = await VoxbaseHost.StartAsync(Options(db.ConnectionString), Cancel);
        var url = new Uri(host.Url);
        var token = host.Services.GetRequiredService<Tokens>().Mint("service_role");
        using var client = new TcpClient();
        await client.ConnectAsync(url.Host, url.Port, Cancel);
        using var connection = client.GetStream();
        await connection.WriteAsync(System.Text.Encoding.ASCII.GetBytes(
            $"POST /v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            + "Expect: 100-continue\r\n\r\n"), Cancel);
        var buffer = new byte[4096];
        // The server asks for the body: the request is under way.
        System.Text.Encoding.ASCII.GetString(buffer, 0, await connection.ReadAsync(buffer, Cancel)).ShouldStartWith("HTTP/1.1 100");
        var stop = host.StopAsync(Cancel);
        await connection.WriteAsync("{}"u8.ToArray(), Cancel);
        System.Text.Encoding.ASCII.GetString(buffer, 0, await connection.ReadAsync(buffer, Cancel)).ShouldStartWith("HTTP/1.1 201");
        await stop;
        using var late = new TcpClient();
        await Should.ThrowAsync<SocketException>(async () => await late.ConnectAsync(url.Host, url.Port, Cancel));
        (await db.Conversations.ListAsync(Caller.Service, cancellationToken: Cancel)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_taken_port_fails_the_start()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using var db = await cluster.CreateDatabaseAsync();
        var options = Options(db.ConnectionString);
        options.Port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await Should.ThrowAsync<IOException>(() => VoxbaseHost.StartAsync(options, Cancel));
    }

    [Fact]
    public async Task A_database_that_is_away_fails_the_start_with_its_code()
    {
        var options = Options("Host=127.0.0.1;Port=1;Username=x;Database=x");
        (await Should.ThrowAsync<VoxbaseException>(() => VoxbaseHost.StartAsync(options, Cancel))).Code.ShouldBe("database_unavailable");
    }

    private static VoxbaseHostOptions Options(string connectionString) => new()
    {
        Port = 0,
        Configure = options => (options.Database, options.Tokens.Secret) = (connectionString, Secret),
    };
}
