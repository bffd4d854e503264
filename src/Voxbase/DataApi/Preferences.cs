using System.Globalization;

namespace Voxbase.DataApi;

internal enum Count
{
    None,
    Exact,
    Planned,
    Estimated,
}

internal enum Representation
{
    None,
    Minimal,
    HeadersOnly,
    Full,
}

internal enum Resolution
{
    None,
    MergeDuplicates,
    IgnoreDuplicates,
}

/// <summary>What the header Prefer asks (RFC 7240). Of one asked twice the first counts.</summary>
internal sealed class Preferences
{
    public static Preferences Default { get; } = new();

    public Resolution Resolution { get; private set; }

    public Representation Representation { get; private set; }

    public Count Count { get; private set; }

    /// <summary>True to roll back, false to commit, null when nothing is asked.</summary>
    public bool? RollsBack { get; private set; }

    /// <summary>True for columns' defaults, false for null, null when nothing is asked.</summary>
    public bool? MissingIsDefault { get; private set; }

    public bool? IsStrict { get; private set; }

    public string? TimeZone { get; private set; }

    public long? MaxAffected { get; private set; }

    public List<string>? Unknown { get; private set; }

    /// <param name="headers">The values of all headers Prefer.</param>
    /// <param name="mayChooseEnd">Whether <c>tx=</c> is honoured.</param>
    public static Preferences Parse(IEnumerable<string?> headers, bool mayChooseEnd)
    {
        Preferences? found = null;
        foreach (var header in headers)
        {
            foreach (var range in header.AsSpan().Split(','))
            {
                var text = header.AsSpan(range).Trim();
                if (!text.IsEmpty)
                    (found ??= new Preferences()).Add(text, mayChooseEnd);
            }
        }

        return found ?? Default;
    }

    private void Add(ReadOnlySpan<char> text, bool mayChooseEnd)
    {
        switch (text)
        {
            case "resolution=merge-duplicates":
                Resolution = Resolution == default ? Resolution.MergeDuplicates : Resolution;
                break;
            case "resolution=ignore-duplicates":
                Resolution = Resolution == default ? Resolution.IgnoreDuplicates : Resolution;
                break;
            case "return=representation":
                Representation = Representation == default ? Representation.Full : Representation;
                break;
            case "return=minimal":
                Representation = Representation == default ? Representation.Minimal : Representation;
                break;
            case "return=headers-only":
                Representation = Representation == default ? Representation.HeadersOnly : Representation;
                break;
            case "count=exact":
                Count = Count == default ? Count.Exact : Count;
                break;
            case "count=planned":
                Count = Count == default ? Count.Planned : Count;
                break;
            case "count=estimated":
                Count = Count == default ? Count.Estimated : Count;
                break;
            case "tx=commit":
                RollsBack ??= mayChooseEnd ? false : null;
                break;
            case "tx=rollback":
                RollsBack ??= mayChooseEnd ? true : null;
                break;
            case "missing=default":
                MissingIsDefault ??= true;
                break;
            case "missing=null":
                MissingIsDefault ??= false;
                break;
            case "handling=strict":
                IsStrict ??= true;
                break;
            case "handling=lenient":
                IsStrict ??= false;
                break;
            case var zone when zone.StartsWith("timezone=", StringComparison.Ordinal):
                TimeZone ??= zone["timezone=".Length..].ToString();
                break;
            case var most when most.StartsWith("max-affected=", StringComparison.Ordinal):
                if (MaxAffected is null && long.TryParse(most["max-affected=".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var rows))
                    MaxAffected = rows;
                break;
            default:
                (Unknown ??= []).Add(text.ToString());
                break;
        }
    }

    /// <summary>The header Preference-Applied, or null.</summary>
    /// <param name="operation">What was done.</param>
    /// <param name="resolves">Whether the resolution had a key to work with.</param>
    public string? Applied(Operation operation, bool resolves)
    {
        if (ReferenceEquals(this, Default))
            return null;
        var applied = new List<string>(4);
        if (operation == Operation.Insert && resolves && Resolution != default)
            applied.Add(Resolution == Resolution.MergeDuplicates ? "resolution=merge-duplicates" : "resolution=ignore-duplicates");
        if (operation is Operation.Insert or Operation.Update && MissingIsDefault is { } missing)
            applied.Add(missing ? "missing=default" : "missing=null");
        if (operation is not (Operation.Read or Operation.Call) && Representation != default)
        {
            applied.Add(Representation switch
            {
                Representation.Full => "return=representation",
                Representation.HeadersOnly => "return=headers-only",
                _ => "return=minimal",
            });
        }

        if (Count != default)
            applied.Add(Count switch { Count.Exact => "count=exact", Count.Planned => "count=planned", _ => "count=estimated" });
        if (RollsBack is { } rollsBack)
            applied.Add(rollsBack ? "tx=rollback" : "tx=commit");
        if (IsStrict is { } strict)
            applied.Add(strict ? "handling=strict" : "handling=lenient");
        if (TimeZone is not null && IsZoneKnown)
            applied.Add("timezone=" + TimeZone);
        if (IsStrict == true && MaxAffected is { } most && operation is Operation.Update or Operation.Delete or Operation.Call)
            applied.Add(string.Create(CultureInfo.InvariantCulture, $"max-affected={most}"));
        return applied.Count == 0 ? null : string.Join(", ", applied);
    }

    /// <summary>Checks what can only be checked against the database: an unknown time zone is a fault when strict, and else nothing.</summary>
    public void Check(IReadOnlySet<string> timeZones)
    {
        if (ReferenceEquals(this, Default))
            return;
        IsZoneKnown = TimeZone is not null && timeZones.Contains(TimeZone);
        if (IsStrict != true)
            return;
        if (TimeZone is not null && !IsZoneKnown)
            (Unknown ??= []).Add("timezone=" + TimeZone);
        if (Unknown is { Count: > 0 })
            throw ApiFaults.Preferences(Unknown);
    }

    public bool IsZoneKnown { get; private set; }
}
