using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Voxbase.DataApi;

/// <summary>
/// An answer of the Data API that is an error, in the dialect's own codes: clients of PostgREST branch on <c>PGRST…</c> and on SQLSTATE,
/// so these are not codes of ours.
/// </summary>
internal sealed class ApiException(
    string code, int status, string message, string? details = null, string? hint = null, Exception? inner = null)
    : Exception(message, inner)
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public string Code { get; } = code;

    public int Status { get; } = status;

    public string? Details { get; } = details;

    public string? Hint { get; } = hint;

    /// <summary>Details that are a list of objects; goes before <see cref="Details"/>.</summary>
    public IReadOnlyList<IReadOnlyList<KeyValuePair<string, string>>>? Candidates { get; init; }

    /// <summary>Headers that the answer has beside the usual ones.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The reason phrase, when the database chose one.</summary>
    public string? Reason { get; init; }

    /// <summary>The body: code, message, details and hint.</summary>
    public byte[] ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("code", Code);
            if (Candidates is null)
            {
                json.WriteString("details", Details);
            }
            else
            {
                json.WriteStartArray("details");
                foreach (var candidate in Candidates)
                {
                    json.WriteStartObject();
                    foreach (var (name, value) in candidate)
                        json.WriteString(name, value);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }

            json.WriteString("hint", Hint);
            json.WriteString("message", Message);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}
