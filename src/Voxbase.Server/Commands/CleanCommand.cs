using System.CommandLine;
using System.Text;
using Voxbase.Cleaning;
using Voxbase.Server.Cleaning;
using Voxbase.Server.Configuration;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase clean</c>: cleans turns of speech-to-text. Needs a database only for a conversation that is kept there.</summary>
internal static class CleanCommand
{
    public static Command Create(Shell shell)
    {
        var what = new Argument<string?>("file|id")
        {
            Description = "A transcript (WebVTT, SRT, text, JSON; - reads the standard input) to show cleaned, or the id of a conversation to clean and keep",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var jsonl = new Option<string?>("--jsonl")
        {
            Description = "Turns as JSON lines {\"id\": …, \"raw\": …, \"conversation\": …, \"lang\": …, \"window\": […], \"lexicon\": […]}; - reads the standard input",
            HelpName = "file",
        };
        var evaluate = new Option<string?>("--evaluate")
        {
            Description = "Clean the labelled sets of a folder and score them with the score.py that lies there (needs python3)",
            HelpName = "folder",
        };
        var level = new Option<CleaningLevel>("--level") { Description = "How much may change: none, light or full", DefaultValueFactory = _ => CleaningLevel.Full };
        var language = new Option<string?>("--lang") { Description = "en, de, fr or es; detected turn by turn when left out", HelpName = "language" };
        var terms = new Option<string?>("--terms")
        {
            Description = "Trusted names as JSON lines {\"conversation\": …, \"terms\": [{\"text\": …}]}; without a conversation they are for all",
            HelpName = "file",
        };
        var mode = new Option<CleaningMode>("--mode") { Description = "conversation, or assistant: talking to a machine, where \"no\" takes back" };
        var engine = new Option<Engine>("--engine")
        {
            Description = "deterministic, or llm: with a language model's help, its key in VOXBASE_LLMCLEANING__APIKEY",
        };
        var endpoint = new Option<string?>("--endpoint") { Description = "The base URL of an OpenAI-compatible endpoint; setting LlmCleaning.BaseUrl", HelpName = "url" };
        var model = new Option<string?>("--model") { Description = "The model there; setting LlmCleaning.Model", HelpName = "name" };
        var command = new Command("clean", "Clean speech-to-text: fillers, stumbles, repairs, misheard names, numbers. Every change can be undone.")
        {
            what, jsonl, evaluate, level, language, terms, mode, engine, endpoint, model, shell.Json,
        };
        command.Validators.Add(result =>
        {
            // By what was given: values, and defaults, are there only when all of it is right.
            bool[] given = [result.GetResult(what) is { Tokens.Count: > 0 }, result.GetResult(jsonl) is not null, result.GetResult(evaluate) is not null];
            if (given.Count(each => each) != 1)
                result.AddError("A transcript, the id of a conversation, --jsonl or --evaluate is needed, and one of them only.");
            var withModel = result.GetResult(engine) is { Tokens: [{ Value: var word }] } && word.Equals(nameof(Engine.Llm), StringComparison.OrdinalIgnoreCase);
            if (!withModel && (result.GetResult(endpoint) ?? result.GetResult(model)) is not null)
                result.AddError("--endpoint and --model are for --engine llm.");
            if (withModel && (result.GetResult(evaluate) is not null || (result.GetResult(what) is { Tokens: [{ Value: var named }] } && Guid.TryParseExact(named, "D", out _))))
                result.AddError("--engine llm is for a file and for --jsonl; a conversation's preferences say which engine cleans it.");
        });
        command.SetAction(async (parsed, ct) =>
        {
            if (parsed.GetValue(evaluate) is { } folder)
                return await CleaningEvaluation.RunAsync(shell.Output, folder, parsed.GetValue(shell.Json), ct);
            var request = new CleaningRequest { Level = parsed.GetValue(level), Mode = parsed.GetValue(mode), Language = parsed.GetValue(language) };
            if (Guid.TryParseExact(parsed.GetValue(what), "D", out var id))
            {
                // What was not said is as the conversation prefers.
                return await shell.WithDatabaseAsync(
                    parsed,
                    session => new CleanRun(shell.Output, parsed.GetValue(shell.Json)).ConversationAsync(
                        session, id,
                        preferred => new CleaningRequest
                        {
                            Level = parsed.GetResult(level) is { Implicit: false } ? request.Level : preferred.Level,
                            Mode = parsed.GetResult(mode) is { Implicit: false } ? request.Mode : preferred.Mode,
                            Language = request.Language ?? preferred.Language,
                        },
                        ct),
                    ct);
            }

            var known = await TermsAsync(parsed.GetValue(terms), ct);
            using var llm = parsed.GetValue(engine) == Engine.Llm ? Llm(parsed.GetValue(endpoint), parsed.GetValue(model)) : null;
            if (parsed.GetValue(what) is { } file)
                return await new CleanRun(shell.Output, parsed.GetValue(shell.Json)).FileAsync(file, request, known?.GetValueOrDefault(CleaningLines.Everywhere), llm, ct);
            await CleanAsync(parsed.GetValue(jsonl)!, new CleaningLines(request, known, llm), ct);
            return 0;
        });
        return shell.WithExamples(
            command,
            "voxbase clean meeting.vtt",
            "voxbase clean 01a1fb3e-4a71-725d-870d-455e2c7e460b --level light",
            "voxbase clean --jsonl turns.jsonl --level full > cleaned.jsonl",
            "voxbase clean --jsonl - --lang de --terms names.jsonl < turns.jsonl",
            "voxbase clean meeting.vtt --engine llm --endpoint http://localhost:11434/v1 --model qwen3",
            "voxbase clean --jsonl turns.jsonl --engine llm --endpoint http://localhost:11434/v1 --model qwen3",
            "voxbase clean --evaluate ../shared/evaluation");
    }

    private enum Engine { Deterministic, Llm }

    private static LlmCleaner Llm(string? endpoint, string? model)
    {
        var settings = Settings.Read([new Flag("LlmCleaning.BaseUrl", "--endpoint", endpoint?.TrimEnd('/')), new Flag("LlmCleaning.Model", "--model", model)]);
        var cleaner = LlmCleaner.Of(settings.Voxbase, TimeProvider.System);
        return cleaner.IsConfigured ? cleaner : throw CleaningErrors.ModelMissing.With("--engine llm has no endpoint.");
    }

    private static async Task CleanAsync(string file, CleaningLines lines, CancellationToken cancellationToken)
    {
        using var reader = Open(file);
        var number = 0;
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            Output.WriteJson(await lines.AnswerAsync(CleaningLines.Read(line, number), cancellationToken));
        }
    }

    private static async Task<IReadOnlyDictionary<string, TermIndex>?> TermsAsync(string? file, CancellationToken cancellationToken)
    {
        if (file is null)
            return null;
        using var reader = Open(file);
        return await CleaningLines.ReadTermsAsync(reader, cancellationToken);
    }

    private static StreamReader Open(string file)
    {
        if (file == "-")
            return new StreamReader(Console.OpenStandardInput(), Encoding.UTF8);
        try
        {
            return Directory.Exists(file) ? throw ServerErrors.FileUnreadable.With($"{file}: it is a folder") : new StreamReader(file, Encoding.UTF8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ServerErrors.FileUnreadable.With($"{file}: {(e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message)}", inner: e);
        }
    }
}
