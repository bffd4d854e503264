using System.Text.RegularExpressions;

namespace Voxbase;

/// <summary>
/// Which models a price is for: an exact name, a prefix ending in <c>*</c>, or a regular expression between slashes over the whole name.
/// </summary>
/// <remarks>
/// PostgreSQL does the matching, in one place (<see cref="PriceBook"/>); this decides what it is given. The language is small enough to
/// be matched in time linear in the name, and to mean to PostgreSQL what it means to .NET: letters, digits, <c>. - _ : @</c>,
/// <c>\.</c> and <c>\d</c>, classes, groups, <c>|</c> and the quantifiers <c>? * +</c>. No counts, because a few of them inside each other
/// compile to more states than memory has; nothing that looks around or back. The check prices_model_shape says the same in the database.
/// </remarks>
internal static partial class ModelPattern
{
    private const int MaxLength = 128;

    /// <summary>Why a model is none, or null.</summary>
    public static string? Fault(string model)
    {
        if (IsExpression(model))
            return ExpressionFault(model);
        var star = model.IndexOf('*', StringComparison.Ordinal);
        if (model.Length == 0 || model.Any(char.IsWhiteSpace) || (star >= 0 && star != model.Length - 1))
            return $"model '{model}' is neither a name, nor a prefix ending in *, nor a /regular expression/";
        return model.Length > 512 ? $"model has {model.Length} characters; the most is 512" : null;
    }

    /// <summary>Whether it is written as a regular expression.</summary>
    public static bool IsExpression(string model) => model.Length > 1 && model[0] == '/' && model[^1] == '/';

    /// <summary>The expression as .NET matches it.</summary>
    internal static Regex Compile(string model) =>
        new($"^(?:{model[1..^1]})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture);

    private static string? ExpressionFault(string model)
    {
        if (model.Length is < 3 or > MaxLength)
            return $"the regular expression {model} has {model.Length} characters; it may have 3 to {MaxLength}, its slashes included";
        if (!Language().IsMatch(model) || model.Contains("(?", StringComparison.Ordinal))
        {
            return $"the regular expression {model} uses more than letters, digits, . - _ : @, \\. and \\d, [classes], groups, | and the quantifiers ? * +; "
                + "counts, look-around and back references could take for ever";
        }

        try
        {
            Compile(model);
            return null;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return $"the regular expression {model} is not one: {e.Message}";
        }
    }

    [GeneratedRegex(@"^/(?:[A-Za-z0-9_:@.-]|\\[.d]|\[\^?[A-Za-z0-9_:.-]+\]|[()|?*+])+/\z", RegexOptions.NonBacktracking)]
    private static partial Regex Language();
}
