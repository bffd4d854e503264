using System.Globalization;
using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>Alerts, their rules and their webhooks.</summary>
internal static class AlertTable
{
    public static void Write(Output output, IReadOnlyList<Alert> alerts)
    {
        if (alerts.Count == 0)
        {
            output.Error.WriteLine("No alerts.", Tables.Dim);
            return;
        }

        var table = Tables.New(output, "id", "opened (UTC)", "rule", "what", "state");
        table.Columns[0].NoWrap = table.Columns[1].NoWrap = table.Columns[2].NoWrap = true;
        foreach (var alert in alerts)
        {
            table.AddRow(
                new Text(alert.Id.ToString()),
                new Text(Format.Minute(alert.OpenedAt)),
                Tables.Cell(alert.Rule, Of(alert.Severity)),
                Tables.Cell(alert.Message),
                alert.ResolvedAt is { } resolved ? Tables.Cell($"resolved {Format.Minute(resolved)}", Tables.Dim)
                    : alert.AcknowledgedAt is not null ? Tables.Cell("acknowledged", new Style(Color.Yellow))
                    : Tables.Cell("open", Tables.Bold));
        }

        output.Standard.Write(table);
    }

    public static void Write(Output output, IReadOnlyList<AlertRule> rules, IEnumerable<AlertMeasure> measures)
    {
        var table = Tables.New(output, "rule", "measure", "scope", "threshold>", "window>", "every>", "severity", "watched");
        table.Columns[0].NoWrap = table.Columns[1].NoWrap = true;
        foreach (var rule in rules)
        {
            table.AddRow(
                Tables.Cell(rule.Name, Tables.Bold),
                Tables.Cell(rule.Measure),
                Tables.Cell(rule.Scope),
                new Text(rule.Threshold.ToString("0.######", CultureInfo.InvariantCulture)),
                new Text(Format.Duration(rule.WindowMinutes * 60)),
                new Text(Format.Duration(rule.EverySeconds)),
                new Text(Format.Word(rule.Severity), Of(rule.Severity)),
                new Text(rule.IsEnabled ? "yes" : "no", rule.IsEnabled ? null : Tables.Dim));
        }

        output.Standard.Write(table);
        foreach (var measure in measures.OrderBy(measure => measure.Name, StringComparer.Ordinal))
            output.Standard.WriteLine($"  {measure.Name} ({string.Join(", ", measure.Scopes)}): {measure.Summary}", Tables.Dim);
    }

    public static void Write(Output output, IReadOnlyList<AlertEndpoint> endpoints)
    {
        if (endpoints.Count == 0)
        {
            output.Error.WriteLine("No webhooks.", Tables.Dim);
            return;
        }

        var table = Tables.New(output, "id", "url", "rules", "waiting>", "given up>", "last failure");
        table.Columns[0].NoWrap = true;
        foreach (var endpoint in endpoints)
        {
            table.AddRow(
                new Text(endpoint.Id.ToString()),
                Tables.Cell(endpoint.Url, endpoint.IsEnabled ? null : Tables.Dim),
                Tables.Cell(endpoint.Rules is { } rules ? string.Join(", ", rules) : "all"),
                new Text(Format.Count(endpoint.Waiting)),
                new Text(Format.Count(endpoint.Dead)),
                Tables.Cell(endpoint.IsEnabled ? endpoint.LastError : "turned off: 410 Gone"));
        }

        output.Standard.Write(table);
    }

    public static void Write(Output output, IReadOnlyList<(AlertEndpoint Endpoint, DeliveryAttempt Attempt)> results)
    {
        if (results.Count == 0)
        {
            output.Error.WriteLine("No webhooks.", Tables.Dim);
            return;
        }

        foreach (var (endpoint, attempt) in results)
        {
            output.Standard.Write(Tables.Line(
                (attempt.Delivered ? "delivered" : "failed   ", new Style(attempt.Delivered ? Color.Green : Color.Red)),
                ($"  {Plain.Text(endpoint.Url)}", null),
                ($"  {Plain.Text(attempt.Outcome)}", Tables.Dim)));
            output.Standard.WriteLine();
        }
    }

    private static Style Of(AlertSeverity severity) => new(severity switch
    {
        AlertSeverity.Critical => Color.Red,
        AlertSeverity.Warning => Color.Yellow,
        _ => Color.Aqua,
    });
}
