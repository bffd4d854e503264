using System.Net.WebSockets;
using System.Text;
using Npgsql;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Server.Tests;

/// <summary>The real server, killed in the middle of a call, and its database likewise: nothing that anybody heard is lost.</summary>
public sealed class RelayKillTests : KillTests
{
    private const int Enough = 150;

    [Fact]
    public async Task A_killed_server_loses_nothing_that_was_passed_on()
    {
        await using var db = await Cluster.CreateDatabaseAsync();
        await using var openAi = await FakeOpenAi.StartAsync(TalkAsync);
        Guid id;
        List<string> heard, said;
        await using (var up = await StartAsync(db, openAi))
        {
            using var socket = await ConnectAsync(up, await db.NewUserAsync());
            id = Guid.Parse(socket.HttpResponseHeaders!["X-Voxbase-Conversation"].Single());
            var talk = TalkAsync(socket, CancellationToken.None);
            await EventuallyAsync(() => openAi.Calls[0].Received.Count > Enough && openAi.Calls[0].Sent.Count > Enough);
            await up.KillAsync();
            (heard, said) = await talk;
            await openAi.Calls[0].Over.WaitAsync(Cancel);
        }

        heard.ShouldNotBeEmpty();
        await using (await StartAsync(db, openAi))
        {
            var ended = await EndedAsync(db, id);
            (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Failed, EndReasons.ServerLost));
        }

        await ShouldHoldAsync(db, id, openAi.Calls[0], heard, said);
        Directory.EnumerateFiles(Path.Combine(Home, "spool")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_killed_database_is_not_heard_in_the_call_and_gets_all_of_it()
    {
        await using var db = await Cluster.CreateDatabaseAsync();
        await using var openAi = await FakeOpenAi.StartAsync(TalkAsync);
        await using var up = await StartAsync(db, openAi);
        using var socket = await ConnectAsync(up, await db.NewUserAsync());
        var id = Guid.Parse(socket.HttpResponseHeaders!["X-Voxbase-Conversation"].Single());
        using var hangUp = new CancellationTokenSource();
        var talk = TalkAsync(socket, hangUp.Token);
        var call = openAi.Calls[0];
        await EventuallyAsync(() => call.Received.Count > Enough);

        await KillDatabaseAsync();
        // The call goes on without it.
        var (received, sent) = (call.Received.Count, call.Sent.Count);
        await EventuallyAsync(() => call.Received.Count > received + Enough && call.Sent.Count > sent + Enough);
        await Cluster.Postgres.EnsureRunningAsync(Cancel);
        NpgsqlConnection.ClearAllPools();

        await hangUp.CancelAsync();
        var (heard, said) = await talk;
        var ended = await EndedAsync(db, id);
        (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.ClientClosed));
        await call.Over.WaitAsync(Cancel);
        await ShouldHoldAsync(db, id, call, heard, said);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    private Task<UpProcess> StartAsync(TestDatabase db, FakeOpenAi openAi) =>
        StartAsync(db, ("VOXBASE_OPENAI__BASEURL", openAi.BaseUrl), ("VOXBASE_OPENAI__APIKEY", FakeOpenAi.Key));

    private static async Task<ClientWebSocket> ConnectAsync(UpProcess up, Caller user)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.SetRequestHeader("Authorization", $"Bearer {TokenOf(user)}");
        await socket.ConnectAsync(new Uri(up.Url.Replace("http", "ws", StringComparison.Ordinal) + "/v1/realtime/relay?model=gpt-realtime"), Cancel);
        return socket;
    }

    // The provider: a session, and then it talks without a pause while it listens.
    private static async Task TalkAsync(FakeOpenAiCall call)
    {
        await call.SendRawAsync("""{"type":"session.created","event_id":"event_0","session":{"id":"sess_kill","type":"realtime","model":"gpt-realtime"}}""");
        var listening = call.UntilClosedAsync();
        while (!listening.IsCompleted)
        {
            await call.SendAsync("response.output_audio.delta", new() { ["item_id"] = "item_1", ["response_id"] = "resp_1", ["delta"] = "AAAA" });
            await Task.Delay(1);
        }

        await listening;
    }

    // The client: the same from the other side, until it hangs up or is cut off. Gives what it heard and what it said.
    private static async Task<(List<string> Heard, List<string> Said)> TalkAsync(ClientWebSocket socket, CancellationToken hangUp)
    {
        var (heard, said) = (new List<string>(), new List<string>());
        var listening = ListenAsync();
        try
        {
            while (!hangUp.IsCancellationRequested && !listening.IsCompleted)
            {
                // Without an id, and many of them alike: their place alone tells them apart.
                var text = $$"""{"type":"input_audio_buffer.append","audio":"{{(said.Count % 3 == 0 ? "AAAA" : "BBBB")}}"}""";
                said.Add(text);
                await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, Cancel);
                await Task.Delay(1, Cancel);
            }

            if (!listening.IsCompleted)
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "bye", Cancel);
        }
        catch (Exception e) when (IsCutOff(e))
        {
            // Cut off.
        }

        await listening;
        return (heard, said);

        async Task ListenAsync()
        {
            var buffer = new byte[64 * 1024];
            try
            {
                while (await socket.ReceiveAsync(buffer, Cancel) is { MessageType: not WebSocketMessageType.Close } got)
                    heard.Add(Encoding.UTF8.GetString(buffer, 0, got.Count));
            }
            catch (Exception e) when (IsCutOff(e))
            {
                // Cut off.
            }
        }
    }

    // A socket that broke while it was read says to who writes, and the other way round, that its operation was cancelled.
    private static bool IsCutOff(Exception e) => e is WebSocketException || (e is OperationCanceledException && !Cancel.IsCancellationRequested);

    // Heard ⊆ kept ⊆ said, in order, both ways; and what is kept makes the same record again.
    private async Task ShouldHoldAsync(TestDatabase db, Guid id, FakeOpenAiCall call, List<string> heard, List<string> said)
    {
        var events = await KeptRecord.EventsAsync(db, id, Cancel);
        var (fromServer, fromClient) = (Of("server"), Of("client"));
        fromServer.Take(heard.Count).ShouldBe(heard);
        call.Sent.Take(fromServer.Count).ShouldBe(fromServer);
        fromClient.Take(call.Received.Count).ShouldBe(call.Received);
        said.Take(fromClient.Count).ShouldBe(fromClient);
        await using var empty = await Cluster.CreateDatabaseAsync();
        await KeptRecord.ShouldReplayToItselfAsync(db, id, empty, Cancel);

        List<string> Of(string direction) => [.. events.Where(e => e.Direction == direction).Select(e => e.Payload)];
    }

    private static async Task<Conversation> EndedAsync(TestDatabase db, Guid id)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                var conversation = await db.Conversations.FindAsync(Caller.Service, id, patience.Token);
                if (conversation.Status is ConversationStatus.Completed or ConversationStatus.Failed)
                    return conversation;
            }
            catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
            {
                // It is just coming back.
            }

            await Task.Delay(50, patience.Token);
        }
    }

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (!condition())
            await Task.Delay(10, patience.Token);
    }
}
