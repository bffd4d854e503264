using System.ClientModel;
using System.Text.Json;
using OpenAI.Realtime;
using Voxbase.Testing;

#pragma warning disable OPENAI002 // The SDK calls its realtime client a preview.

namespace Voxbase.AspNetCore.Tests.Capture;

/// <summary>OpenAI's own clients, unmodified, each hold a whole conversation through the relay.</summary>
public sealed class OfficialClientsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_npm_client_holds_a_conversation()
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        var user = await api.Database.NewUserAsync();
        var output = await NpmClients.RunAsync("openai/conversation.mjs", api.Url.ToString().TrimEnd('/'), api.Tokens.Mint(Caller.UserRole, user.UserId));
        await openAi.Calls.Single().Over.WaitAsync(Cancel);
        var heard = JsonElement.Parse(output);
        heard.GetProperty("heard").EnumerateArray().Select(each => each.GetString()).ShouldBe(
            ["It rains in Bergen, as it nearly always does at this time of the year.", "Rain again."]);
        heard.GetProperty("code").GetInt32().ShouldBe(1000);
        await ShouldHaveTheConversationAsync(api, openAi.Calls.Single(), user);
    }

    [Fact]
    public async Task The_dotnet_sdk_holds_a_conversation()
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        var user = await api.Database.NewUserAsync();
        var client = new RealtimeClient(
            new ApiKeyCredential(api.Tokens.Mint(Caller.UserRole, user.UserId)), new RealtimeClientOptions { Endpoint = new Uri($"ws://{api.Url.Authority}/v1") });
        using (var session = await client.StartConversationSessionAsync("gpt-realtime", cancellationToken: Cancel))
        {
            await session.ConfigureConversationSessionAsync(
                new RealtimeConversationSessionOptions
                {
                    Tools = { new RealtimeFunctionTool("get_weather") { FunctionParameters = BinaryData.FromString("""{"type":"object"}""") } },
                },
                Cancel);
            for (var i = 0; i < 5; i++)
                await session.SendInputAudioAsync(BinaryData.FromBytes(new byte[4800]), Cancel);
            var (isInterrupted, responses) = (false, 0);
            await foreach (var update in session.ReceiveUpdatesAsync(Cancel))
            {
                switch (update)
                {
                    case RealtimeServerUpdateResponseFunctionCallArgumentsDone call:
                        call.FunctionArguments.ToString().ShouldContain("Bergen");
                        await session.AddItemAsync(OpenAI.Realtime.RealtimeItem.CreateFunctionCallOutputItem(call.CallId, """{"rain":true}"""), Cancel);
                        await session.StartResponseAsync(Cancel);
                        break;
                    case RealtimeServerUpdateResponseOutputAudioDelta delta when !isInterrupted:
                        isInterrupted = true;
                        await session.SendInputAudioAsync(BinaryData.FromBytes(new byte[4800]), Cancel);
                        await session.TruncateItemAsync(delta.ItemId, 0, TimeSpan.FromMilliseconds(300), Cancel);
                        break;
                    case RealtimeServerUpdateResponseDone:
                        responses++;
                        break;
                }

                if (responses == 3)
                    break;
            }
        }

        await ShouldHaveTheConversationAsync(api, openAi.Calls.Single(), user);
    }

    private async Task ShouldHaveTheConversationAsync(Api api, FakeOpenAiCall call, Caller user)
    {
        await call.Over.WaitAsync(Cancel);
        var id = (Guid)(await api.Database.ScalarAsync(Caller.Service, "select id from vox.conversations"))!;
        var conversation = await api.EndedAsync(id);
        conversation.UserId.ShouldBe(user.UserId);
        conversation.SessionId.ShouldBe($"sess_{call.Number}");
        conversation.Status.ShouldBe(ConversationStatus.Completed, conversation.EndReason);
        await api.ShouldBeRecordedAsync(cluster, id, call);

        var record = await api.Database.Conversations.GetAsync(user, id, Cancel);
        record.Turns.Select(turn => turn.RawText).ShouldBe(
            ["What is the weather in Bergen?", "It rains in Bergen, as it nearly always does at this time of the year.", "And tomorrow?", "Rain again."]);
        var interrupted = record.Turns[1];
        interrupted.Interrupted.ShouldBeTrue();
        interrupted.HeardText!.Length.ShouldBeInRange(1, interrupted.RawText!.Length - 1);
        var tool = record.FunctionCalls.ShouldHaveSingleItem();
        (tool.Name, tool.Status).ShouldBe(("get_weather", "completed"));
        record.Charges.ShouldNotBeEmpty();
        record.Charges.Where(charge => charge.Stage == "llm").ShouldAllBe(charge => charge.AmountUsd != null);
        (await Recount.FaultsAsync(api.Database, Cancel)).ShouldBeEmpty();
    }
}
