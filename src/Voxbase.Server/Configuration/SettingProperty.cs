using System.Collections;
using System.Globalization;
using System.Reflection;

namespace Voxbase.Server.Configuration;

/// <summary>One property of the options: how it is named, set and shown.</summary>
internal sealed class SettingProperty
{
    public const string VariablePrefix = "VOXBASE_";

    private readonly object owner;
    private readonly PropertyInfo property;
    private readonly object? initial;

    private SettingProperty(object owner, PropertyInfo property, string name)
    {
        (this.owner, this.property, Name) = (owner, property, name);
        initial = property.GetValue(owner);
        // Variables that the library reads by itself, under names of their own.
        Variable = name switch
        {
            "Embedded.Home" => "VOXBASE_HOME",
            "Embedded.BinariesDirectory" => "VOXBASE_POSTGRES_BINARIES",
            "Tokens.Secret" => ServerKeys.SecretVariable,
            _ => VariablePrefix + name.Replace(".", "__", StringComparison.Ordinal).ToUpperInvariant(),
        };
    }

    /// <summary>For example <c>Conversations.AppendLanes</c>.</summary>
    public string Name { get; }

    /// <summary>For example <c>VOXBASE_CONVERSATIONS__APPENDLANES</c>.</summary>
    public string Variable { get; }

    /// <summary>The property that declares it.</summary>
    public PropertyInfo Declaration => property;

    /// <summary>The value in force, with secrets masked; null when there is none.</summary>
    public string? Value => Mask(Text(property.GetValue(owner)));

    /// <summary>Whether the variable sets it, or an entry of it.</summary>
    public bool Owns(string variable) =>
        variable.Equals(Variable, StringComparison.OrdinalIgnoreCase)
        || (IsMap && variable.StartsWith(Variable + "__", StringComparison.OrdinalIgnoreCase));

    /// <summary>Sets it from text.</summary>
    /// <exception cref="VoxbaseException"><c>setting_invalid</c>; the value is not repeated, as it may be a secret.</exception>
    public void Set(string givenBy, string value)
    {
        if (IsMap)
        {
            if (givenBy.Length <= Variable.Length + 2)
                throw ServerErrors.SettingInvalid.With($"{Variable} takes a name after it: {Variable}__name=value.");
            ((IDictionary<string, string>)property.GetValue(owner)!)[givenBy[(Variable.Length + 2)..].ToLowerInvariant()] = value;
            return;
        }

        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        property.SetValue(owner, Parse(type, value) ?? throw ServerErrors.SettingInvalid.With($"{givenBy} is not {Expected(type)}."));
    }

    /// <summary>Takes over the value of the same property of other options.</summary>
    public void CopyFrom(SettingProperty other)
    {
        if (property.CanWrite)
            property.SetValue(owner, other.property.GetValue(other.owner));
    }

    /// <summary>The properties of options and of the options inside them, in the order of their declaration.</summary>
    public static IEnumerable<SettingProperty> Of(object options, string prefix)
    {
        foreach (var property in options.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var name = prefix.Length == 0 ? property.Name : $"{prefix}.{property.Name}";
            if (IsSimple(property.PropertyType) ? property.CanWrite : property.PropertyType == typeof(IDictionary<string, string>))
            {
                yield return new SettingProperty(options, property, name);
            }
            else if (property.PropertyType.Namespace?.StartsWith(nameof(Voxbase), StringComparison.Ordinal) == true && property.GetValue(options) is { } part)
            {
                foreach (var inner in Of(part, name))
                    yield return inner;
            }
        }
    }

    private bool IsMap => property.PropertyType == typeof(IDictionary<string, string>);

    private static bool IsSimple(Type type)
    {
        var inner = Nullable.GetUnderlyingType(type) ?? type;
        return inner.IsEnum || inner == typeof(string) || inner == typeof(TimeSpan) || inner == typeof(decimal) || inner.IsPrimitive;
    }

    private static object? Parse(Type type, string value)
    {
        var text = value.Trim();
        if (type == typeof(string))
            return value;
        if (type == typeof(bool))
            return text.ToLowerInvariant() switch { "true" or "1" or "yes" or "on" => true, "false" or "0" or "no" or "off" => false, _ => null };
        if (type.IsEnum)
            return Enum.TryParse(type, text, ignoreCase: true, out var member) && Enum.IsDefined(type, member!) ? member : null;
        if (type == typeof(TimeSpan))
            return Durations.TryParse(text, out var duration) || TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out duration) ? duration : null;
        try
        {
            return Convert.ChangeType(text, type, CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is FormatException or OverflowException or InvalidCastException)
        {
            return null;
        }
    }

    private static string Expected(Type type) =>
        type == typeof(bool) ? "true or false"
        : type.IsEnum ? "one of " + string.Join(", ", Enum.GetNames(type))
        : type == typeof(TimeSpan) ? "a duration such as 30s, 5m or 1h"
        : "a number in range";

    private static string? Text(object? value) => value switch
    {
        null or "" => null,
        bool flag => flag ? "true" : "false",
        IDictionary map => map.Count == 0 ? null : string.Join(", ", map.Keys.Cast<object>().Select(key => $"{key} = {map[key]}")),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };

    private string? Mask(string? text)
    {
        if (text is null)
            return null;
        if (Name == "Database")
            return Secrets.MaskConnection(text);
        return Secrets.IsSecret(property.Name) ? Secrets.Mask : text;
    }

    /// <summary>The value when nobody sets it.</summary>
    public string? Default => Mask(Text(initial));
}
