using System.Globalization;
using System.Text;
using System.Text.Json;
using CsvHelper;

namespace Voxbase.Server.Commands;

/// <summary>
/// Prices in a file: CSV with a heading, or a JSON array as <c>voxbase prices list --json</c> writes it. Everything that is wrong with it
/// is told at once, with the lines it stands on.
/// </summary>
internal sealed class PriceFile
{
    private const int ReportedFaults = 20;

    private static readonly string[] Required = ["provider", "model", "meter", "unit_price_usd", "valid_from"];
    private static readonly string[] Known = [.. Required, "per", "note", "is_default"];

    private readonly List<Price> prices = [];
    private readonly List<int> lines = [];
    private readonly List<string> faults = [];

    private PriceFile()
    {
    }

    /// <summary>What the file holds, but for prices that came with Voxbase anyway.</summary>
    public IReadOnlyList<Price> Prices => prices;

    /// <summary>The line that a price begins on, from 1.</summary>
    public int LineOf(int index) => lines[index];

    /// <summary>Reads a file's text; its first character tells the format.</summary>
    /// <exception cref="VoxbaseException"><c>price_file_invalid</c>.</exception>
    public static PriceFile Parse(string name, string text)
    {
        var file = new PriceFile();
        text = text.TrimStart('\uFEFF');
        if (text.AsSpan().TrimStart() is ['[', ..])
            file.ReadJson(Encoding.UTF8.GetBytes(text));
        else
            file.ReadCsv(text);
        if (file.faults.Count == 0 && file.prices.Count == 0)
            file.faults.Add("it holds no prices");
        if (file.faults.Count == 0)
            return file;
        var rest = file.faults.Skip(1).Take(ReportedFaults).ToList();
        if (file.faults.Count > ReportedFaults + 1)
            rest.Add($"and {file.faults.Count - ReportedFaults - 1} more");
        throw ServerErrors.PriceFileInvalid.With($"{name}: {file.faults[0]}", rest.Count == 0 ? null : string.Join("\n", rest));
    }

    private void ReadCsv(string text)
    {
        try
        {
            using var csv = CsvReader.FromText(text, CsvReaderOptions.Default with
            {
                TrackLineNumbers = true,
                TrimWhitespace = true,
                CommentPrefix = '#',
                MalformedData = CsvMalformedDataHandling.Throw,
            });
            csv.ReadHeader();
            string[] heading = [.. csv.Headers];
            if (heading.FirstOrDefault(column => !Known.Contains(column)) is { } unknown)
                faults.Add($"the column '{unknown}' is unknown; known are {string.Join(", ", Known)}");
            else if (heading.Distinct().Count() < heading.Length)
                faults.Add("the heading names a column twice");
            else if (heading.Length > 0 && Required.Except(heading).ToList() is { Count: > 0 } missing)
                faults.Add($"the heading lacks {string.Join(", ", missing)}");
            while (faults.Count == 0 || csv.RowNumber > 0)
            {
                if (!csv.Read())
                    break;
                var line = (int)csv.LineNumber;
                if (csv.FieldCount != heading.Length)
                    faults.Add($"line {line}: it has {csv.FieldCount} fields, the heading {heading.Length}");
                else
                    Add(line, heading.Index().Select(c => (c.Item, Value: csv.GetString(c.Index))).Where(c => c.Value.Length > 0).ToDictionary(c => c.Item, c => c.Value));
            }
        }
        catch (CsvFormatException e)
        {
            faults.Add($"line {e.LineNumber}: its quotes do not match");
        }
    }

    private void ReadJson(byte[] json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        try
        {
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var line = 1 + json.AsSpan(0, (int)reader.TokenStartIndex).Count((byte)'\n');
                using var item = JsonDocument.ParseValue(ref reader);
                if (item.RootElement.ValueKind != JsonValueKind.Object)
                {
                    faults.Add($"line {line}: it is no object");
                    continue;
                }

                var fields = new Dictionary<string, string>();
                foreach (var property in item.RootElement.EnumerateObject())
                {
                    if (!fields.TryAdd(property.Name, property.Value.ToString()))
                        faults.Add($"line {line}: '{property.Name}' is given twice");
                    if (property.Value.ValueKind == JsonValueKind.Null)
                        fields.Remove(property.Name);
                }

                Add(line, fields);
            }

            if (reader.Read())
                faults.Add("there is more after the array");
        }
        catch (JsonException e)
        {
            faults.Add($"line {e.LineNumber + 1}: it is not JSON");
        }
    }

    private void Add(int line, Dictionary<string, string> fields)
    {
        var before = faults.Count;
        if (fields.Keys.FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
            faults.Add($"line {line}: '{unknown}' is unknown; known are {string.Join(", ", Known)}");
        if (Required.Except(fields.Keys).ToList() is { Count: > 0 } missing)
            faults.Add($"line {line}: it lacks {string.Join(", ", missing)}");
        var (amount, per, validFrom) = (0m, 1, default(DateTimeOffset));
        if (fields.TryGetValue("unit_price_usd", out var text) && !decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out amount))
            faults.Add($"line {line}: unit_price_usd '{text}' is not a number such as 0.40");
        if (fields.TryGetValue("per", out text) && !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out per))
            faults.Add($"line {line}: per '{text}' is not a whole number such as 1000000");
        if (fields.TryGetValue("valid_from", out text)
            && !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out validFrom))
        {
            faults.Add($"line {line}: valid_from '{text}' is not a time such as 2026-05-01 or 2026-05-01T09:30:00Z");
        }

        if (faults.Count > before || (fields.TryGetValue("is_default", out text) && text.Equals("true", StringComparison.OrdinalIgnoreCase)))
            return;
        prices.Add(new Price
        {
            Provider = fields["provider"],
            Model = fields["model"],
            Meter = fields["meter"],
            UnitPriceUsd = amount,
            Per = per,
            ValidFrom = validFrom,
            Note = fields.GetValueOrDefault("note"),
        });
        lines.Add(line);
    }
}
