using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Voxbase.Capture;
using Voxbase.Cleaning;
using Voxbase.LiveKit;
using Voxbase.Sideband;

namespace Voxbase.AspNetCore;

/// <summary>How Voxbase writes and reads JSON.</summary>
public static class VoxbaseJson
{
    /// <summary>
    /// Names in snake_case, enums as the database spells them, times in UTC, money as decimal text. Reading is strict: an unknown or
    /// doubled field, a number in quotes, a comment or a time without its offset is refused.
    /// </summary>
    public static JsonSerializerOptions Options { get; } = Make();

    internal static JsonTypes Types { get; } = new(Options);

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(JsonTypes.Default.Options)
        {
            // Answers are application/json with nosniff, never part of a page: text stays as it was said.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
        };
        options.Converters.Add(new NamedConverter<ConversationKind>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<ConversationStatus>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<ConversationState>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<TurnRole>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<ParticipantType>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<CleaningLevel>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<CleaningMode>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<CleaningEngine>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<CorrectionStatus>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<UsageBy>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<PriceProblem>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<Confidence>(JsonNamingPolicy.SnakeCaseUpper));
        options.Converters.Add(new NamedConverter<OnExceed>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<UserTier>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new NamedConverter<AlertSeverity>(JsonNamingPolicy.SnakeCaseLower));
        options.Converters.Add(new MomentConverter());
        return options;
    }

    /// <summary>How an enum's values are spelled.</summary>
    internal static IReadOnlyList<string> NamesOf(Type type) =>
        [.. Enum.GetNames(type).Select((type == typeof(Confidence) ? JsonNamingPolicy.SnakeCaseUpper : JsonNamingPolicy.SnakeCaseLower).ConvertName)];

    /// <summary>An enum by its exact name: no numbers, no other case, no list.</summary>
    private sealed class NamedConverter<T>(JsonNamingPolicy policy) : JsonConverter<T>
        where T : struct, Enum
    {
        private readonly (T Value, JsonEncodedText Name)[] names =
            [.. Enum.GetValues<T>().Select(value => (value, JsonEncodedText.Encode(policy.ConvertName(value.ToString()))))];

        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.String)
            {
                foreach (var (value, name) in names)
                {
                    if (reader.ValueTextEquals(name.EncodedUtf8Bytes))
                        return value;
                }
            }

            throw new JsonException();
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
        {
            foreach (var (known, name) in names)
            {
                if (EqualityComparer<T>.Default.Equals(known, value))
                {
                    writer.WriteStringValue(name);
                    return;
                }
            }

            throw new JsonException();
        }
    }

    /// <summary>A time with its offset. Without one it would be taken as the server's local time.</summary>
    private sealed class MomentConverter : JsonConverter<DateTimeOffset>
    {
        // "2025-01-31T12:00:00" is the shortest that could lack it; a date alone has no offset either.
        private const int ShortestTime = 11;

        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.String || reader.HasValueSequence || !reader.TryGetDateTimeOffset(out var moment))
                throw new JsonException();
            var text = reader.ValueSpan;
            return text.Length > ShortestTime && (text[^1] == (byte)'Z' || text[ShortestTime..].ContainsAny((byte)'+', (byte)'-'))
                ? moment
                : throw new JsonException();
        }

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.UtcDateTime);
    }
}

/// <summary>Everything that goes in and out, known at compile time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    NumberHandling = JsonNumberHandling.Strict,
    AllowDuplicateProperties = false,
    MaxDepth = 64)]
[JsonSerializable(typeof(NewConversation))]
[JsonSerializable(typeof(Conversation))]
[JsonSerializable(typeof(ConversationRecord))]
[JsonSerializable(typeof(ConversationContext))]
[JsonSerializable(typeof(NewTurn))]
[JsonSerializable(typeof(List<NewTurn>))]
[JsonSerializable(typeof(AppendedTurn))]
[JsonSerializable(typeof(IReadOnlyList<AppendedTurn>))]
[JsonSerializable(typeof(NewParticipant))]
[JsonSerializable(typeof(Participant))]
[JsonSerializable(typeof(NewFunctionCall))]
[JsonSerializable(typeof(FunctionCallEnd))]
[JsonSerializable(typeof(FunctionCall))]
[JsonSerializable(typeof(ConversationPage))]
[JsonSerializable(typeof(TurnPage))]
[JsonSerializable(typeof(CaptureAnswer))]
[JsonSerializable(typeof(TranscriptImportResult))]
[JsonSerializable(typeof(NewRealtimeSession))]
[JsonSerializable(typeof(RealtimeSession))]
[JsonSerializable(typeof(ToldEvent))]
[JsonSerializable(typeof(CallAttachment))]
[JsonSerializable(typeof(IncomingCall))]
[JsonSerializable(typeof(PriceList))]
[JsonSerializable(typeof(BudgetList))]
[JsonSerializable(typeof(BudgetChange))]
[JsonSerializable(typeof(BudgetOverride))]
[JsonSerializable(typeof(BudgetPosition))]
[JsonSerializable(typeof(BudgetWindow))]
[JsonSerializable(typeof(AlertPage))]
[JsonSerializable(typeof(AlertDone))]
[JsonSerializable(typeof(AlertRule))]
[JsonSerializable(typeof(AlertRuleList))]
[JsonSerializable(typeof(AlertRuleChange))]
[JsonSerializable(typeof(AlertEndpoint))]
[JsonSerializable(typeof(AlertEndpointList))]
[JsonSerializable(typeof(NewAlertEndpoint))]
[JsonSerializable(typeof(DeliveryAttempt))]
[JsonSerializable(typeof(Price))]
[JsonSerializable(typeof(List<Price>))]
[JsonSerializable(typeof(PriceImportResult))]
[JsonSerializable(typeof(PriceFindings))]
[JsonSerializable(typeof(UsageReport))]
[JsonSerializable(typeof(ConversationStateChange))]
[JsonSerializable(typeof(ConversationActivation))]
[JsonSerializable(typeof(ConversationEnd))]
[JsonSerializable(typeof(ParticipantLeave))]
[JsonSerializable(typeof(ParticipantLeaveByIdentity))]
[JsonSerializable(typeof(LiveKitTokenRequest))]
[JsonSerializable(typeof(LiveKitAccess))]
[JsonSerializable(typeof(NewLiveKitCall))]
[JsonSerializable(typeof(StartedLiveKitCall))]
[JsonSerializable(typeof(LiveKitCallEnd))]
[JsonSerializable(typeof(LiveKitParticipantList))]
[JsonSerializable(typeof(LiveKitRemoval))]
[JsonSerializable(typeof(LiveKitRemoved))]
[JsonSerializable(typeof(LiveKitRecordingRequest))]
[JsonSerializable(typeof(LiveKitEgress))]
[JsonSerializable(typeof(LiveKitEgressList))]
[JsonSerializable(typeof(LiveKitRoomList))]
[JsonSerializable(typeof(LiveKitAccepted))]
[JsonSerializable(typeof(LiveKitReportAnswer))]
[JsonSerializable(typeof(CleanTurn))]
[JsonSerializable(typeof(List<CleanTurn>))]
[JsonSerializable(typeof(CleanAnswer))]
[JsonSerializable(typeof(List<CleanAnswer>))]
[JsonSerializable(typeof(IReadOnlyList<CleanAnswer>))]
[JsonSerializable(typeof(CleanConversation))]
[JsonSerializable(typeof(CleaningSummary))]
[JsonSerializable(typeof(CleaningPreferences))]
[JsonSerializable(typeof(CorrectionPage))]
[JsonSerializable(typeof(CorrectedTurn))]
[JsonSerializable(typeof(UndoRequest))]
[JsonSerializable(typeof(Undone))]
[JsonSerializable(typeof(CleanedVersionList))]
[JsonSerializable(typeof(KeyTermBody))]
[JsonSerializable(typeof(KeyTermList))]
[JsonSerializable(typeof(WindowList))]
[JsonSerializable(typeof(ContextShareList))]
[JsonSerializable(typeof(ConfidenceShareList))]
[JsonSerializable(typeof(CleaningPerformance))]
[JsonSerializable(typeof(CleaningHourList))]
[JsonSerializable(typeof(Liveness))]
[JsonSerializable(typeof(Readiness))]
[JsonSerializable(typeof(FeedMessage))]
[JsonSerializable(typeof(ErrorBody))]
internal sealed partial class JsonTypes : JsonSerializerContext;
