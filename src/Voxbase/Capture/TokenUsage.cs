using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>Whether it is known how a response's cached tokens divide into text, audio and image.</summary>
public enum CachedSplit
{
    /// <summary>Known: reported, or nothing was cached, or only one modality had any input tokens.</summary>
    Known,

    /// <summary>Unknown: the provider gave a sum of cached tokens over several modalities, or figures that contradict each other.</summary>
    Unknown,
}

/// <summary>
/// The tokens of a response as the provider reported them. Null: not reported. Cached tokens are part of the input tokens
/// (uncached = modality − cached of that modality).
/// </summary>
public sealed record TokenUsage
{
    /// <summary>All input tokens (the sum of the modalities where the total is not reported).</summary>
    public int? Input { get; init; }

    /// <summary>All output tokens (the sum of the modalities where the total is not reported).</summary>
    public int? Output { get; init; }

    /// <summary>Input tokens taken from the prompt cache.</summary>
    public int? Cached { get; init; }

    /// <summary>Input tokens that are text.</summary>
    public int? TextInput { get; init; }

    /// <summary>Input tokens that are audio (1 token per 100 ms of a user's audio).</summary>
    public int? AudioInput { get; init; }

    /// <summary>Input tokens that are image.</summary>
    public int? ImageInput { get; init; }

    /// <summary>Cached text tokens; null when <see cref="CachedSplit"/> is unknown.</summary>
    public int? TextCached { get; init; }

    /// <summary>Cached audio tokens; null when <see cref="CachedSplit"/> is unknown.</summary>
    public int? AudioCached { get; init; }

    /// <summary>Cached image tokens; null when <see cref="CachedSplit"/> is unknown.</summary>
    public int? ImageCached { get; init; }

    /// <summary>Output tokens that are text, the transcript of spoken audio among them.</summary>
    public int? TextOutput { get; init; }

    /// <summary>Output tokens that are audio (1 token per 50 ms of an assistant's audio).</summary>
    public int? AudioOutput { get; init; }

    /// <summary>Whether the cached tokens are divided by modality.</summary>
    public CachedSplit CachedSplit { get; init; }

    internal static TokenUsage? Read(EventFields fields, JsonElement owner)
    {
        if (!fields.Object(owner, "usage", out var usage))
        {
            return null;
        }

        fields.Object(usage, "input_token_details", out var input);
        fields.Object(usage, "output_token_details", out var output);
        fields.Object(input, "cached_tokens_details", out var cached);
        var raw = new TokenUsage
        {
            Input = fields.Count(usage, "input_tokens"),
            Output = fields.Count(usage, "output_tokens"),
            Cached = fields.Count(input, "cached_tokens"),
            TextInput = fields.Count(input, "text_tokens"),
            AudioInput = fields.Count(input, "audio_tokens"),
            ImageInput = fields.Count(input, "image_tokens"),
            TextCached = fields.Count(cached, "text_tokens"),
            AudioCached = fields.Count(cached, "audio_tokens"),
            ImageCached = fields.Count(cached, "image_tokens"),
            TextOutput = fields.Count(output, "text_tokens"),
            AudioOutput = fields.Count(output, "audio_tokens"),
        };
        return raw.Settled(fields);
    }

    /// <summary>The usage of the Responses API, which a Live session delegates to: text, and other names for the same.</summary>
    internal static TokenUsage? ReadResponses(EventFields fields, JsonElement owner)
    {
        if (!fields.Object(owner, "usage", out var usage))
        {
            return null;
        }

        fields.Object(usage, "input_tokens_details", out var input);
        var (read, made) = (fields.Count(usage, "input_tokens"), fields.Count(usage, "output_tokens"));
        return new TokenUsage
        {
            Input = read,
            TextInput = read,
            Cached = fields.Count(input, "cached_tokens"),
            Output = made,
            TextOutput = made,
        }.Settled(fields);
    }

    /// <summary>
    /// What to charge, by meter. Nothing is guessed: what cannot be divided is one quantity of the meter <c>llm.input.unsplit</c> or
    /// <c>llm.output.unsplit</c>, which has no price and so is reported as unpriced. Zero quantities are left out.
    /// </summary>
    internal IEnumerable<(string Meter, long Quantity)> Meters()
    {
        var inputParts = Sum(TextInput, AudioInput, ImageInput) ?? 0;
        if (CachedSplit == CachedSplit.Unknown || inputParts > Input)
        {
            yield return ("llm.input.unsplit", Input ?? 0);
        }
        else
        {
            yield return ("llm.input.text", (TextInput ?? 0) - (TextCached ?? 0));
            yield return ("llm.input.text.cached", TextCached ?? 0);
            yield return ("llm.input.audio", (AudioInput ?? 0) - (AudioCached ?? 0));
            yield return ("llm.input.audio.cached", AudioCached ?? 0);
            yield return ("llm.input.image", (ImageInput ?? 0) - (ImageCached ?? 0));
            yield return ("llm.input.image.cached", ImageCached ?? 0);
            yield return ("llm.input.unsplit", (Input ?? 0) - inputParts);
        }

        var outputParts = Sum(TextOutput, AudioOutput) ?? 0;
        if (outputParts > Output)
        {
            yield return ("llm.output.unsplit", Output ?? 0);
        }
        else
        {
            yield return ("llm.output.text", TextOutput ?? 0);
            yield return ("llm.output.audio", AudioOutput ?? 0);
            yield return ("llm.output.unsplit", (Output ?? 0) - outputParts);
        }
    }

    internal static long? Sum(params ReadOnlySpan<int?> parts)
    {
        long? sum = null;
        foreach (var part in parts)
        {
            sum = part is { } known ? (sum ?? 0) + known : sum;
        }

        return sum;
    }

    private static int? Clamp(long? sum) => sum is { } known ? (int)Math.Min(known, int.MaxValue) : null;

    // Totals where only parts were sent, the cached split where it follows, and "unknown" where figures contradict each other.
    internal TokenUsage Settled(EventFields fields)
    {
        var (inputParts, outputParts) = (Sum(TextInput, AudioInput, ImageInput), Sum(TextOutput, AudioOutput));
        var cachedParts = Sum(TextCached, AudioCached, ImageCached);
        var settled = this with
        {
            Input = Input ?? Clamp(inputParts),
            Output = Output ?? Clamp(outputParts),
            Cached = Cached ?? Clamp(cachedParts),
        };
        if (inputParts > settled.Input || outputParts > settled.Output)
        {
            fields.Flag();
        }

        if (settled.Cached is null or 0 && cachedParts is null or 0)
        {
            return settled with { CachedSplit = CachedSplit.Known };
        }

        var unknown = settled with { CachedSplit = CachedSplit.Unknown, TextCached = null, AudioCached = null, ImageCached = null };
        if (settled.Cached > (settled.Input ?? 0))
        {
            fields.Flag();
            return unknown;
        }

        if (cachedParts is not null)
        {
            if (cachedParts == settled.Cached
                && TextCached.GetValueOrDefault() <= TextInput.GetValueOrDefault()
                && AudioCached.GetValueOrDefault() <= AudioInput.GetValueOrDefault()
                && ImageCached.GetValueOrDefault() <= ImageInput.GetValueOrDefault())
            {
                return settled with { CachedSplit = CachedSplit.Known };
            }

            fields.Flag();
            return unknown;
        }

        // A sum alone divides itself only when all of the input is of one modality.
        return (TextInput is > 0, AudioInput is > 0, ImageInput is > 0) switch
        {
            (true, false, false) when TextInput == settled.Input => settled with { TextCached = settled.Cached },
            (false, true, false) when AudioInput == settled.Input => settled with { AudioCached = settled.Cached },
            (false, false, true) when ImageInput == settled.Input => settled with { ImageCached = settled.Cached },
            _ => unknown,
        };
    }
}
