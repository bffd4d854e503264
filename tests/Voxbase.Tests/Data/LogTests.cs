using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

/// <summary>A busy session with everything logged: what was said, keys and numbers are in no line, PostgreSQL's own log included.</summary>
public sealed class LogTests(TestCluster cluster)
{
    private const string Secret = "marker7f3a";

    private static readonly string Phone = "+49151" + Secret;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_that_was_said_and_no_key_is_logged_whatever_goes_wrong()
    {
        var lines = new ConcurrentQueue<string>();
        await using var db = await cluster.CreateDatabaseAsync();
        var services = new ServiceCollection().AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new Recording(lines)));
        services.AddVoxbase(options => options.Database = db.ConnectionString);
        await using var provider = services.BuildServiceProvider();
        foreach (var hosted in provider.GetServices<IHostedService>())
            await hosted.StartAsync(Cancel);
        var conversations = provider.GetRequiredService<Conversations>();

        var user = Caller.FromClaims(JsonElement.Parse($$"""{"role":"authenticated","sub":"{{Guid.NewGuid()}}","phone":"{{Phone}}","email":"{{Secret}}@example.org"}"""));
        var conversation = await conversations.StartAsync(user, new NewConversation { Name = Secret, SessionId = Secret }, Cancel);
        var turn = new NewTurn { Id = Guid.CreateVersion7(), Role = TurnRole.User, RawText = Secret, CleanedText = Secret, HeardText = Secret };
        await conversations.AppendAsync(user, conversation.Id, [turn, turn], Cancel);
        await conversations.JoinAsync(user, conversation.Id, new NewParticipant { Identity = Phone, Name = Secret }, Cancel);
        await conversations.BeginFunctionCallAsync(
            user, conversation.Id, new NewFunctionCall { CallId = "call", Name = "f", Arguments = JsonSerializer.SerializeToElement(Secret) }, Cancel);
        await provider.GetRequiredService<Captures>().ReplayAsync(
            user, new MemoryStream(Encoding.UTF8.GetBytes("{\"type\":\"session.created\",\"session\":{\"id\":\"s" + Secret + "\"}}\nnot json " + Secret)), cancellationToken: Cancel);

        // And what fails: at a type, a check, a key, a policy, in the middle of a batch.
        foreach (var act in (Func<Task>[])[
            () => conversations.AppendAsync(user, conversation.Id, turn with { Id = Guid.NewGuid(), RawText = Secret + "\0" }, Cancel),
            () => conversations.AppendAsync(user, conversation.Id, turn with { Id = Guid.NewGuid(), Metadata = JsonElement.Parse($$"""{"{{Secret}}":"\u0000"}""") }, Cancel),
            () => conversations.AppendAsync(user, conversation.Id, turn with { Id = Guid.NewGuid(), Status = Secret, InputTokens = -1 }, Cancel),
            () => conversations.AppendAsync(Caller.User(Guid.NewGuid()), conversation.Id, turn, Cancel),
            () => conversations.StartAsync(Caller.User(Guid.NewGuid()), new NewConversation { SessionId = Secret }, Cancel),
            () => db.ExecuteAsync(Caller.Service, $"insert into vox.users (email) values ('{Secret}@example.org')"),
            () => db.ExecuteAsync(Caller.Service, $"insert into vox.users (email) values ('{Secret}')"),
            () => db.ExecuteAsync(Caller.Service, "update vox.conversations set status = $1::text::vox.conversation_status", Parameter.Text(Secret)),
            () => db.ExecuteAsync(user, "update vox.users set role = 'admin' where email = $1", Parameter.Text(Secret)),
        ])
        {
            var error = await Should.ThrowAsync<VoxbaseException>(act);
            error.Hint.ShouldNotContain(Secret);
        }

        provider.GetRequiredService<ILogger<LogTests>>().Log(LogLevel.Trace, default, "heard", null, (state, _) => state);
        lines.ShouldContain("heard", "else the test listens to nothing");
        lines.Where(line => line.Contains(Secret, StringComparison.Ordinal)).ShouldBeEmpty();
        var password = new NpgsqlConnectionStringBuilder(db.ConnectionString).Password!;
        lines.Where(line => line.Contains(password, StringComparison.Ordinal)).ShouldBeEmpty();

        var log = Path.Combine(cluster.Postgres.Home, "log");
        var written = string.Concat(Directory.EnumerateFiles(log).Select(Read));
        written.ShouldNotBeEmpty();
        written.ShouldNotContain(Secret);
        written.ShouldNotContain(password);
        user.ToString().ShouldNotContain(Secret);
    }

    // The server writes on while this reads.
    private static string Read(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private sealed class Recording(ConcurrentQueue<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            lines.Enqueue(state.ToString() ?? "");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lines.Enqueue(formatter(state, exception) + exception);
            if (state is IEnumerable<KeyValuePair<string, object?>> values)
                lines.Enqueue(string.Join(' ', values.Select(value => $"{value.Key}={value.Value}")));
        }

        public void Dispose()
        {
        }
    }
}
