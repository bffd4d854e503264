using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase.LiveKit;

/// <summary>What stands above a record of OTLP: its resource's and its scope's attributes, and the scope's name.</summary>
internal sealed record OtlpOrigin(string? Scope, JsonObject Attributes);

/// <summary>A log record, a span or a data point. Times are nanoseconds since 1970; what a record lacks is null.</summary>
internal sealed record OtlpRecord(OtlpOrigin Origin, JsonObject Attributes)
{
    /// <summary>Of a span or a metric.</summary>
    public string? Name { get; set; }

    /// <summary>Of a log record.</summary>
    public string? Body { get; set; }

    public long? Start { get; set; }

    public long? Time { get; set; }

    public string? TraceId { get; set; }

    public string? SpanId { get; set; }

    public string? ParentSpanId { get; set; }

    /// <summary>Whether a span's status is an error.</summary>
    public bool IsError { get; set; }

    /// <summary>Of a metric.</summary>
    public string? Unit { get; set; }

    /// <summary>Of a metric's data point: whether it counts all since its start, not what came since the point before.</summary>
    public bool IsCumulative { get; set; }

    public double? Value { get; set; }

    public long? Count { get; set; }

    public double? Sum { get; set; }

    public double? Min { get; set; }

    public double? Max { get; set; }
}

/// <summary>The three requests of OTLP, in protobuf and in JSON. Only what is used of them is read.</summary>
internal static class Otlp
{
    private const int MaxDepth = 32;
    private const int CumulativeTemporality = 2;

    private static readonly string[] Temporalities = ["aggregation_temporality_unspecified", "aggregation_temporality_delta", "aggregation_temporality_cumulative"];

    /// <summary>Reads log records.</summary>
    /// <exception cref="FormatException">The bytes are not that.</exception>
    public static List<OtlpRecord> Logs(ReadOnlySpan<byte> bytes, bool isJson) =>
        isJson ? Json(bytes, "resourceLogs", "scopeLogs", "logRecords", JsonLog) : Proto(bytes, ProtoLog);

    /// <summary>Reads spans.</summary>
    /// <exception cref="FormatException">The bytes are not that.</exception>
    public static List<OtlpRecord> Spans(ReadOnlySpan<byte> bytes, bool isJson) =>
        isJson ? Json(bytes, "resourceSpans", "scopeSpans", "spans", JsonSpan) : Proto(bytes, ProtoSpan);

    /// <summary>Reads metrics' data points.</summary>
    /// <exception cref="FormatException">The bytes are not that.</exception>
    public static List<OtlpRecord> Metrics(ReadOnlySpan<byte> bytes, bool isJson) =>
        isJson ? Json(bytes, "resourceMetrics", "scopeMetrics", "metrics", JsonMetric) : Proto(bytes, ProtoMetric);

    private delegate void ProtoRead(ReadOnlySpan<byte> bytes, OtlpOrigin origin, List<OtlpRecord> into);

    // All three requests are built alike: resources (1), each with its own attributes (1) and scopes (2), each with its name and
    // attributes (1) and records (2).
    private static List<OtlpRecord> Proto(ReadOnlySpan<byte> bytes, ProtoRead read)
    {
        var records = new List<OtlpRecord>();
        var request = new ProtoReader(bytes);
        while (request.Next())
        {
            if (request.Field != 1)
            {
                request.Skip();
                continue;
            }

            var ofResource = request.Bytes();
            var resource = new JsonObject();
            // Twice, because a writer may put the scopes first.
            for (var look = new ProtoReader(ofResource); look.Next();)
            {
                if (look.Field == 1)
                    Attributes(look.Bytes(), 1, resource);
                else
                    look.Skip();
            }

            for (var look = new ProtoReader(ofResource); look.Next();)
            {
                if (look.Field == 2)
                    Scope(look.Bytes(), resource, read, records);
                else
                    look.Skip();
            }
        }

        return records;
    }

    private static void Scope(ReadOnlySpan<byte> bytes, JsonObject resource, ProtoRead read, List<OtlpRecord> records)
    {
        string? name = null;
        var attributes = (JsonObject)resource.DeepClone();
        for (var look = new ProtoReader(bytes); look.Next();)
        {
            if (look.Field != 1)
            {
                look.Skip();
                continue;
            }

            var scope = look.Bytes();
            Attributes(scope, 3, attributes);
            for (var field = new ProtoReader(scope); field.Next();)
            {
                if (field.Field == 1)
                    name = field.Text();
                else
                    field.Skip();
            }
        }

        var origin = new OtlpOrigin(name, attributes);
        for (var look = new ProtoReader(bytes); look.Next();)
        {
            if (look.Field == 2)
                read(look.Bytes(), origin, records);
            else
                look.Skip();
        }
    }

    private static void ProtoLog(ReadOnlySpan<byte> bytes, OtlpOrigin origin, List<OtlpRecord> into)
    {
        var log = new OtlpRecord(origin, []);
        Attributes(bytes, 6, log.Attributes);
        for (var field = new ProtoReader(bytes); field.Next();)
        {
            switch (field.Field)
            {
                case 1:
                    log.Time = field.Signed();
                    break;
                case 5:
                    log.Body = Value(field.Bytes(), 0) is JsonValue body && body.TryGetValue<string>(out var text) ? text : null;
                    break;
                default:
                    field.Skip();
                    break;
            }
        }

        into.Add(log);
    }

    private static void ProtoSpan(ReadOnlySpan<byte> bytes, OtlpOrigin origin, List<OtlpRecord> into)
    {
        var span = new OtlpRecord(origin, []);
        Attributes(bytes, 9, span.Attributes);
        for (var field = new ProtoReader(bytes); field.Next();)
        {
            switch (field.Field)
            {
                case 1:
                    span.TraceId = Convert.ToHexStringLower(field.Bytes());
                    break;
                case 2:
                    span.SpanId = Convert.ToHexStringLower(field.Bytes());
                    break;
                case 4:
                    span.ParentSpanId = Convert.ToHexStringLower(field.Bytes());
                    break;
                case 5:
                    span.Name = field.Text();
                    break;
                case 7:
                    span.Start = field.Signed();
                    break;
                case 8:
                    span.Time = field.Signed();
                    break;
                case 15:
                    for (var status = new ProtoReader(field.Bytes()); status.Next();)
                    {
                        if (status.Field == 3)
                            span.IsError = status.Unsigned() == 2;
                        else
                            status.Skip();
                    }

                    break;
                default:
                    field.Skip();
                    break;
            }
        }

        into.Add(span);
    }

    private static void ProtoMetric(ReadOnlySpan<byte> bytes, OtlpOrigin origin, List<OtlpRecord> into)
    {
        string? name = null, unit = null;
        for (var field = new ProtoReader(bytes); field.Next();)
        {
            if (field.Field == 1)
                name = field.Text();
            else if (field.Field == 3)
                unit = field.Text();
            else
                field.Skip();
        }

        for (var field = new ProtoReader(bytes); field.Next();)
        {
            // gauge, sum and histogram
            if (field.Field is not (5 or 7 or 9))
            {
                field.Skip();
                continue;
            }

            var isHistogram = field.Field == 9;
            var ofMetric = field.Bytes();
            var isCumulative = false;
            for (var look = new ProtoReader(ofMetric); look.Next();)
            {
                if (look.Field == 2 && !look.IsBytes)
                    isCumulative = look.Unsigned() == CumulativeTemporality;
                else
                    look.Skip();
            }

            for (var data = new ProtoReader(ofMetric); data.Next();)
            {
                if (data.Field != 1)
                {
                    data.Skip();
                    continue;
                }

                var point = new OtlpRecord(origin, []) { Name = name, Unit = unit, IsCumulative = isCumulative };
                ProtoPoint(data.Bytes(), isHistogram, point);
                into.Add(point);
            }
        }
    }

    private static void ProtoPoint(ReadOnlySpan<byte> bytes, bool isHistogram, OtlpRecord point)
    {
        Attributes(bytes, isHistogram ? 9 : 7, point.Attributes);
        for (var field = new ProtoReader(bytes); field.Next();)
        {
            switch (field.Field)
            {
                case 2:
                    point.Start = field.Signed();
                    break;
                case 3:
                    point.Time = field.Signed();
                    break;
                case 4 when isHistogram:
                    point.Count = field.Signed();
                    break;
                case 4:
                    point.Value = field.Double();
                    break;
                case 5 when isHistogram:
                    point.Sum = field.Double();
                    break;
                case 6 when !isHistogram:
                    point.Value = field.Signed();
                    break;
                case 11 when isHistogram:
                    point.Min = field.Double();
                    break;
                case 12 when isHistogram:
                    point.Max = field.Double();
                    break;
                default:
                    field.Skip();
                    break;
            }
        }
    }

    private static void Attributes(ReadOnlySpan<byte> bytes, int number, JsonObject into, int depth = 0)
    {
        for (var field = new ProtoReader(bytes); field.Next();)
        {
            if (field.Field != number || !field.IsBytes)
            {
                field.Skip();
                continue;
            }

            var (key, value) = ("", (JsonNode?)null);
            for (var pair = new ProtoReader(field.Bytes()); pair.Next();)
            {
                if (pair.Field == 1)
                    key = pair.Text();
                else if (pair.Field == 2)
                    value = Value(pair.Bytes(), depth + 1);
                else
                    pair.Skip();
            }

            into[key] = value;
        }
    }

    private static JsonNode? Value(ReadOnlySpan<byte> bytes, int depth)
    {
        if (depth > MaxDepth)
            throw new FormatException("An attribute is nested too deep.");
        JsonNode? value = null;
        for (var field = new ProtoReader(bytes); field.Next();)
        {
            switch (field.Field)
            {
                case 1:
                    value = field.Text();
                    break;
                case 2:
                    value = field.Unsigned() != 0;
                    break;
                case 3:
                    value = field.Signed();
                    break;
                case 4:
                    value = Number(field.Double());
                    break;
                case 5:
                    var items = new JsonArray();
                    for (var item = new ProtoReader(field.Bytes()); item.Next();)
                    {
                        if (item.Field == 1)
                            items.Add(Value(item.Bytes(), depth + 1));
                        else
                            item.Skip();
                    }

                    value = items;
                    break;
                case 6:
                    var map = new JsonObject();
                    Attributes(field.Bytes(), 1, map, depth);
                    value = map;
                    break;
                default:
                    field.Skip();
                    break;
            }
        }

        return value;
    }

    // JSON has neither.
    private static JsonNode? Number(double number) => double.IsFinite(number) ? number : null;

    private static List<OtlpRecord> Json(
        ReadOnlySpan<byte> bytes, string resources, string scopes, string items, Action<JsonElement, OtlpOrigin, List<OtlpRecord>> read)
    {
        try
        {
            var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = 2 * MaxDepth });
            using var document = JsonDocument.ParseValue(ref reader);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !LiveKitJson.IsText(document.RootElement))
                throw new FormatException("It is not a JSON object.");
            var records = new List<OtlpRecord>();
            foreach (var ofResource in LiveKitJson.Items(document.RootElement, resources))
            {
                var resource = new JsonObject();
                Attributes(LiveKitJson.Object(ofResource, "resource"), resource);
                foreach (var ofScope in LiveKitJson.Items(ofResource, scopes))
                {
                    var scope = LiveKitJson.Object(ofScope, "scope");
                    var attributes = (JsonObject)resource.DeepClone();
                    Attributes(scope, attributes);
                    var origin = new OtlpOrigin(LiveKitJson.LongText(scope, "name"), attributes);
                    foreach (var item in LiveKitJson.Items(ofScope, items))
                        read(item, origin, records);
                }
            }

            return records;
        }
        catch (JsonException e)
        {
            throw new FormatException("It is not JSON.", e);
        }
    }

    private static void JsonLog(JsonElement log, OtlpOrigin origin, List<OtlpRecord> into)
    {
        var record = new OtlpRecord(origin, [])
        {
            Time = LiveKitJson.Integer(log, "timeUnixNano"),
            Body = LiveKitJson.LongText(LiveKitJson.Object(log, "body"), "stringValue"),
        };
        Attributes(log, record.Attributes);
        into.Add(record);
    }

    private static void JsonSpan(JsonElement span, OtlpOrigin origin, List<OtlpRecord> into)
    {
        var record = new OtlpRecord(origin, [])
        {
            Name = LiveKitJson.LongText(span, "name"),
            TraceId = LiveKitJson.Text(span, "traceId"),
            SpanId = LiveKitJson.Text(span, "spanId"),
            ParentSpanId = LiveKitJson.Text(span, "parentSpanId"),
            Start = LiveKitJson.Integer(span, "startTimeUnixNano"),
            Time = LiveKitJson.Integer(span, "endTimeUnixNano"),
            IsError = LiveKitJson.Enum(LiveKitJson.Object(span, "status"), "code", ["unset", "ok", "error"]) is "error" or "status_code_error",
        };
        Attributes(span, record.Attributes);
        into.Add(record);
    }

    private static void JsonMetric(JsonElement metric, OtlpOrigin origin, List<OtlpRecord> into)
    {
        foreach (var form in (ReadOnlySpan<string>)["gauge", "sum", "histogram"])
        {
            foreach (var point in LiveKitJson.Items(LiveKitJson.Object(metric, form), "dataPoints"))
            {
                var record = new OtlpRecord(origin, [])
                {
                    Name = LiveKitJson.LongText(metric, "name"),
                    Unit = LiveKitJson.LongText(metric, "unit"),
                    IsCumulative = LiveKitJson.Enum(LiveKitJson.Object(metric, form), "aggregationTemporality", Temporalities) == Temporalities[CumulativeTemporality],
                    Start = LiveKitJson.Integer(point, "startTimeUnixNano"),
                    Time = LiveKitJson.Integer(point, "timeUnixNano"),
                    Value = LiveKitJson.Number(point, "asDouble") ?? LiveKitJson.Integer(point, "asInt"),
                    Count = LiveKitJson.Integer(point, "count"),
                    Sum = LiveKitJson.Number(point, "sum"),
                    Min = LiveKitJson.Number(point, "min"),
                    Max = LiveKitJson.Number(point, "max"),
                };
                Attributes(point, record.Attributes);
                into.Add(record);
            }
        }
    }

    private static void Attributes(JsonElement owner, JsonObject into)
    {
        foreach (var pair in LiveKitJson.Items(owner, "attributes"))
            into[LiveKitJson.LongText(pair, "key") ?? ""] = Value(LiveKitJson.Object(pair, "value"));
    }

    private static JsonNode? Value(JsonElement value)
    {
        if (LiveKitJson.LongText(value, "stringValue") is { } text)
            return text;
        if (LiveKitJson.Find(value, "boolValue", out var flag))
            return flag.ValueKind == JsonValueKind.True;
        if (LiveKitJson.Integer(value, "intValue") is { } whole)
            return whole;
        if (LiveKitJson.Number(value, "doubleValue") is { } number)
            return Number(number);
        if (LiveKitJson.Object(value, "arrayValue") is { ValueKind: JsonValueKind.Object } array)
            return new JsonArray([.. LiveKitJson.Items(array, "values").Select(Value)]);
        if (LiveKitJson.Object(value, "kvlistValue") is not { ValueKind: JsonValueKind.Object } list)
            return null;
        var map = new JsonObject();
        foreach (var pair in LiveKitJson.Items(list, "values"))
            map[LiveKitJson.LongText(pair, "key") ?? ""] = Value(LiveKitJson.Object(pair, "value"));
        return map;
    }
}

/// <summary>Nanoseconds since 1970 as a time.</summary>
internal static class OtlpTime
{
    public static DateTimeOffset? Of(long? nanoseconds) => nanoseconds is > 0 and var known ? LiveKitJson.Time((decimal)known) : null;

    public static string? Text(long? nanoseconds) => nanoseconds?.ToString(CultureInfo.InvariantCulture);
}
