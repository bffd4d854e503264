using System.Net;
using System.Text;

namespace Voxbase.Capture;

/// <summary>The text of a WebVTT or SRT cue: tags out, entities decoded, a part for each voice.</summary>
internal static class CueText
{
    private static readonly HashSet<string> SrtTags = new(StringComparer.OrdinalIgnoreCase) { "b", "i", "u", "s", "font", "c", "span", "br", "ruby", "rt" };

    /// <summary>
    /// What each speaker says in it, in order. WebVTT has voices (<c>&lt;v Ada></c>); where it uses none, and in SRT, a line like
    /// <c>Ada: …</c> names the speaker.
    /// </summary>
    public static List<(string? Speaker, string Text)> Parts(string text, bool isVtt)
    {
        var parts = new List<(string? Speaker, string Text)>();
        var said = new StringBuilder(text.Length);
        string? voice = null;
        // Where the next '>' is; kept, so that a text of nothing but '<' is not searched again for each.
        var close = -1;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '<')
            {
                if (close < i && (close = text.IndexOf('>', i)) < 0)
                    close = int.MaxValue;
                if (close < text.Length && IsTag(text.AsSpan(i + 1, close - i - 1), isVtt, out var name))
                {
                    if (isVtt && name is "v" or "/v")
                    {
                        Flush();
                        voice = name == "v" ? Annotation(text.AsSpan(i + 1, close - i - 1)) : null;
                    }
                    else if (name is "br")
                    {
                        said.Append('\n');
                    }

                    i = close;
                    continue;
                }
            }
            else if (!isVtt && text[i] == '{' && i + 1 < text.Length && text[i + 1] == '\\')
            {
                // {\an8} and the like, left over from SubStation Alpha; as short as they are, an open one is text.
                var brace = text.AsSpan(i, Math.Min(128, text.Length - i)).IndexOf('}');
                if (brace > 0)
                {
                    i += brace;
                    continue;
                }
            }

            said.Append(text[i]);
        }

        Flush();
        return parts;

        void Flush()
        {
            if (voice is not null)
                Add(parts, voice, Decode(said));
            else
                AddByPrefix(parts, Decode(said));
            said.Clear();
        }
    }

    private static void AddByPrefix(List<(string? Speaker, string Text)> parts, string text)
    {
        string? speaker = null;
        var said = new StringBuilder(text.Length);
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan()[range];
            if (SpeakerNames.TrySplit(line, out var name, out var rest))
            {
                Add(parts, speaker, said.ToString());
                said.Clear().Append(rest);
                speaker = name;
            }
            else
            {
                said.Append('\n').Append(line);
            }
        }

        Add(parts, speaker, said.ToString());
    }

    private static void Add(List<(string? Speaker, string Text)> parts, string? speaker, string text)
    {
        var plain = OneLine(text);
        if (plain.Length > 0)
            parts.Add((speaker, plain));
    }

    private static string Decode(StringBuilder text) => WebUtility.HtmlDecode(text.ToString());

    // Where a caption breaks its lines is layout, not speech.
    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static bool IsTag(ReadOnlySpan<char> tag, bool isVtt, out string name)
    {
        name = "";
        var end = tag.IndexOfAny(" .\t\n");
        var raw = end < 0 ? tag : tag[..end];
        if (raw.Length > 16)
            return isVtt && IsTime(raw);
        name = raw.ToString().ToLowerInvariant();
        var bare = name.TrimStart('/').TrimEnd('/');
        if (bare == "br")
            name = "br";
        return isVtt ? bare.Length > 0 && (char.IsLetter(bare[0]) || IsTime(tag)) : SrtTags.Contains(bare);
    }

    private static bool IsTime(ReadOnlySpan<char> tag) => Timestamps.TryRead(tag, out _, out var length, out _) && length == tag.Length;

    private static string? Annotation(ReadOnlySpan<char> tag)
    {
        var space = tag.IndexOfAny(" \t\n");
        var name = space < 0 ? "" : OneLine(WebUtility.HtmlDecode(tag[space..].ToString()));
        return name.Length == 0 ? null : name;
    }
}
