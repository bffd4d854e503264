using System.Text;
using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

public sealed class TranscriptReaderTests
{
    [Fact]
    public async Task WebVtt_with_all_that_it_may_have()
    {
        var read = await Transcripts.ReadAsync(
            """
            WEBVTT - a title
            Kind: captions

            STYLE
            ::cue { color: red }

            NOTE this is no cue
            and goes on

            REGION
            id:fred

            intro
            00:01.500 --> 00:00:04.000 position:10%,line-left align:start
            <v.loud Ada Lovelace>Good <i>morning</i>,
            <00:00:02.000><c.yellow>everybody</c> &amp; all.</v>

            01:00:00.000 --> 01:00:02.000
            <v Ada>Yes?</v>
            <v Bob &amp; Co>No &lt;3 &nbsp; ever.
            <b><i>Never</i></b>

            1000:00:00.000 --> 1000:00:01.000
            Grace Hopper: far away

            00:05.000 --> 00:06.000

            00:07.000 --> 00:08.000
            nobody says a < b
            """);

        read.Format.ShouldBe(TranscriptFormat.Vtt);
        read.Lines.ShouldBe(
        [
            "1500-4000|Ada Lovelace|Good morning, everybody & all.",
            "3600000-3602000|Ada|Yes?",
            "3600000-3602000|Bob & Co|No <3 ever. Never",
            "-|Grace Hopper|far away",
            "7000-8000||nobody says a < b",
        ]);
        read.Faults.ShouldHaveSingleItem().ShouldBe(new TranscriptFault(23, "a time is negative or beyond 24 days and is left out", false));
    }

    [Fact]
    public async Task Srt_with_bom_crlf_points_tags_and_speakers()
    {
        var read = await Transcripts.ReadAsync(
            "\uFEFF1\r\n00:00:01,000 --> 00:00:02,500 X1:40 X2:600\r\n<font color=\"#fff\">AGENT: Hello</font>\r\n{\\an8}<b>there</b>\r\n\r\n"
            + "2\r\n00:00:03.000 --> 00:00:04.000\r\n- Ada: Hi.\r\n- Bob: Hey, 5 <6 and 7> 6.\r\n3\r\n00:00:05,000-->00:00:06,000\r\nno blank line before\r\n \r\n");

        read.Format.ShouldBe(TranscriptFormat.Srt);
        read.Lines.ShouldBe(
        [
            "1000-2500|AGENT|Hello there", "3000-4000|Ada|Hi.", "3000-4000|Bob|Hey, 5 <6 and 7> 6.", "5000-6000||no blank line before",
        ]);
        read.Faults.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("[00:01:02] Ada: hi", "62000-|Ada|hi")]
    [InlineData("(00:12) Ada: hi", "12000-|Ada|hi")]
    [InlineData("00:01:02 Ada: hi", "62000-|Ada|hi")]
    [InlineData("00:01:02.5 - Ada: hi", "62500-|Ada|hi")]
    [InlineData("[00:01:02 - 00:01:04] Ada: hi", "62000-64000|Ada|hi")]
    [InlineData("[00:01 --> 00:04] hi", "1000-4000||hi")]
    [InlineData("Ada [00:01:02]: hi", "62000-|Ada|hi")]
    [InlineData("Ada Lovelace (00:12) hi", "12000-|Ada Lovelace|hi")]
    [InlineData("Ada: [00:12] hi", "12000-|Ada|hi")]
    [InlineData("Ada Lovelace  0:03\nhi", "3000-|Ada Lovelace|hi")]
    [InlineData("Ada: hi", "-|Ada|hi")]
    [InlineData("agent: hi", "-|agent|hi")]
    [InlineData("SPEAKER_00:\nhi\n\nthere", "-|SPEAKER_00|hi\nthere")]
    [InlineData(">> Ludwig van Beethoven: what?", "-|Ludwig van Beethoven|what?")]
    [InlineData("Smith, John (ext. 7): hi", "-|Smith, John (ext. 7)|hi")]
    [InlineData("李雷：你好", "-|李雷|你好")]
    [InlineData("Ada: at 10:30: http://example.org", "-|Ada|at 10:30: http://example.org")]
    [InlineData("Ada: one\nand then she said: two\n10:30 is fine\n12:99 too", "-|Ada|one\nand then she said: two\n10:30 is fine\n12:99 too")]
    public async Task Plain_text_as_people_write_it(string text, string expected)
    {
        var read = await Transcripts.ReadAsync(text);
        read.Format.ShouldBe(TranscriptFormat.Text);
        read.Lines.ShouldBe([expected]);
        read.Faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plain_text_before_the_first_turn_is_reported()
    {
        var read = await Transcripts.ReadAsync("Meeting of the board\n\nAda: hi\rBob: ho\r\n");
        read.Lines.ShouldBe(["-|Ada|hi", "-|Bob|ho"]);
        read.Faults.ShouldHaveSingleItem().Line.ShouldBe(1);
    }

    [Theory]
    // Whisper's verbose JSON: what is not needed is many times what is.
    [InlineData("""{"task":"transcribe","language":"en","duration":3.2,"text":"Hello. Bye.","segments":[{"id":0,"seek":0,"start":0.0,"end":1.25,"text":" Hello.","tokens":[50364,2425],"temperature":0.0,"words":[{"word":"Hello","start":0,"end":1}]},{"id":1,"start":1.3,"end":3.2,"text":" Bye."}],"words":[]}""", TranscriptFormat.Json, "0-1250||Hello.;1300-3200||Bye.")]
    [InlineData("""{"text":"Only the text."}""", TranscriptFormat.Json, "-||Only the text.")]
    // WhisperX.
    [InlineData("""[{"start":0.5,"end":"1.5s","speaker":"SPEAKER_00","text":"Hi"},{"start":"00:00:02.000","end":"00:03","speaker":1,"text":"Ho"}]""", TranscriptFormat.Json, "500-1500|SPEAKER_00|Hi;2000-3000|Speaker 1|Ho")]
    // AssemblyAI: milliseconds.
    [InlineData("""{"id":"x","language_code":"en_us","words":[{"text":"Hi","start":250,"end":650}],"utterances":[{"confidence":0.9,"end":4350,"speaker":"A","start":250,"text":"Hi there","words":[]}],"text":"Hi there"}""", TranscriptFormat.Json, "250-4350|A|Hi there")]
    // Deepgram: seconds.
    [InlineData("""{"metadata":{},"results":{"channels":[{"alternatives":[{"transcript":"Hi"}]}],"utterances":[{"start":1,"end":2.5,"transcript":"Hi","speaker":0,"channel":0,"words":[{"word":"hi"}]}]}}""", TranscriptFormat.Json, "1000-2500|Speaker 0|Hi")]
    [InlineData("{\"speaker\":\"Ada\",\"text\":\"Hi\",\"start_ms\":10,\"endTime\":1}\n{\"role\":\"assistant\",\"content\":\"Ho\"}\n", TranscriptFormat.Jsonl, "10-1000|Ada|Hi;-|assistant|Ho")]
    [InlineData("{\n \"segments\": [\n  {\"text\": \"a\"}, // said\n  {\"text\": \"b\"},\n ]\n}", TranscriptFormat.Json, "-||a;-||b")]
    public async Task Json_of_the_common_shapes(string text, TranscriptFormat format, string expected)
    {
        var read = await Transcripts.ReadAsync(text);
        read.Format.ShouldBe(format);
        string.Join(';', read.Lines).ShouldBe(expected);
        read.Faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task Json_keeps_language_role_and_time_of_day()
    {
        var read = await Transcripts.ReadAsync("""{"language":"de","messages":[{"role":"user","name":"Ada","content":"Hallo","timestamp":"2026-05-01T09:30:00+02:00"},{"role":"assistant","content":"Hi","language":"en"}]}""");
        read.Cues[0].ShouldBe(new TranscriptCue(1, null, null, "Ada", "Hallo") { Role = "user", Language = "de", At = new DateTimeOffset(2026, 5, 1, 7, 30, 0, TimeSpan.Zero) });
        read.Cues[1].ShouldBe(new TranscriptCue(1, null, null, "assistant", "Hi") { Role = "assistant", Language = "en" });
    }

    [Theory]
    [InlineData(TranscriptFormat.Vtt, "WEBVTT\n\n00:01.000 --> 00:02.000\nA: one\n\n00:0x.000 --> 00:02.000\nlost\n\nname only\n\n00:03.000 --> 00:04.000\nA: two\n", "6 9")]
    [InlineData(TranscriptFormat.Srt, "1\n00:00:01,000 --> 00:00:02,000\nA: one\n\n2\nlost\n\n3\n-00:00:01,000 --> 00:00:02,000\nlost\n\n00:00:03,000 --> 00:00:04,000\nA: two\n", "5 9")]
    [InlineData(TranscriptFormat.Json, "[{\"speaker\":\"A\",\"text\":\"one\"},\n7,\n{\"speaker\":\"A\"},\n{\"text\":[\"x\"]},\n[1],\n{\"speaker\":\"A\",\"text\":\"\\ud800\"},\n{\"speaker\":\"A\",\"text\":\"two\"}]", "2 3 4 5 6")]
    [InlineData(TranscriptFormat.Jsonl, "{\"speaker\":\"A\",\"text\":\"one\"}\n{\"speaker\":\n\nnull\n{\"text\":1}\n{\"speaker\":\"A\",\"text\":\"two\"}", "2 5")]
    public async Task A_broken_cue_is_reported_with_its_line_and_the_rest_is_read(TranscriptFormat format, string text, string lines)
    {
        var read = await Transcripts.ReadAsync(text);
        read.Format.ShouldBe(format);
        read.Cues.Select(cue => $"{cue.Speaker} {cue.Text}").ShouldBe(["A one", "A two"]);
        string.Join(' ', read.Faults.Select(fault => fault.Line)).ShouldBe(lines);
        read.Faults.ShouldAllBe(fault => fault.Skipped);
    }

    [Fact]
    public async Task Json_that_breaks_gives_what_came_before()
    {
        var read = await Transcripts.ReadAsync("{\"segments\":[\n{\"text\":\"one\"},\n{\"text\":\"two\"},\n{\"te");
        read.Cues.Select(cue => cue.Text).ShouldBe(["one", "two"]);
        read.Faults.ShouldHaveSingleItem().Line.ShouldBe(4);
        var deep = await Transcripts.ReadAsync("[{\"text\":\"one\"},\n{\"text\":\"two\",\"x\":" + new string('[', 100_000) + "}]");
        deep.Cues.Select(cue => cue.Text).ShouldBe(["one"]);
        deep.Faults.ShouldHaveSingleItem().Line.ShouldBe(2);
    }

    [Fact]
    public async Task Times_that_cannot_be_are_left_out_and_the_rest_is_kept()
    {
        var read = await Transcripts.ReadAsync(
            """
            [{"start":2,"end":1,"text":"backwards"},
            {"start":-1,"end":1,"text":"negative"},
            {"start":1e300,"end":1e999,"text":"huge"},
            {"start":99999999999999999999999999,"text":"long"},
            {"start":"soon","text":"word"},
            {"start":"NaN","end":true,"text":"none"},
            {"start":5,"end":9,"text":"overlapping"},
            {"start":3,"end":6,"text":"earlier"}]
            """);
        read.Lines.ShouldBe(
            ["2000-||backwards", "-1000||negative", "-||huge", "-||long", "-||word", "-||none", "5000-9000||overlapping", "3000-6000||earlier"]);
        read.Faults.Select(fault => fault.Line).Distinct().ShouldBe([1, 2, 3, 4, 5, 6]);
        read.Faults.ShouldAllBe(fault => !fault.Skipped);
        (await Transcripts.ReadAsync("WEBVTT\n\n99999999999999999999:00:01.000 --> 00:02.000\nA: x")).Lines.ShouldBe(["-2000|A|x"]);
    }

    [Fact]
    public async Task Utf16_is_known_by_its_mark()
    {
        const string text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Søren>再见 👍🏽\n";
        foreach (var encoding in new[] { Encoding.Unicode, Encoding.BigEndianUnicode, new UTF8Encoding(true) })
            (await Transcripts.ReadAsync([.. encoding.GetPreamble(), .. encoding.GetBytes(text)])).Lines.ShouldBe(["1000-2000|Søren|再见 👍🏽"]);
        const string json = """[{"text":"größer"}]""";
        (await Transcripts.ReadAsync([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(json)])).Lines.ShouldBe(["-||größer"]);
        (await Should.ThrowAsync<VoxbaseException>(() => Transcripts.ReadAsync(Encoding.Unicode.GetBytes(text)))).Code.ShouldBe("transcript_format_unknown");
    }

    [Fact]
    public async Task Characters_that_are_no_text_are_replaced_and_reported()
    {
        byte[][] files =
        [
            [.. "Ada: caf"u8, 0xE9, .. " \0!\nBob: ok"u8],
            "[{\"speaker\":\"Ada\",\"text\":\"caf\\u0000 \\u0000!\"},{\"speaker\":\"Bob\",\"text\":\"ok\"}]"u8.ToArray(),
            [.. "[{\"speaker\":\"Ada\",\"text\":\"caf"u8, 0xE9, .. " \\u0041\"},{\"speaker\":\"Ada\",\"text\":\"caf"u8, 0xE9, .. " "u8, 0xFF, .. "!\"},{\"speaker\":\"Bob\",\"text\":\"ok\"}]"u8],
            [.. "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada>caf"u8, 0xE9, .. " &#0;!\n\n00:01.000 --> 00:02.000\n<v Bob>ok"u8],
            [0xFF, 0xFE, .. Encoding.Unicode.GetBytes("Ada: caf"), 0x00, 0xD8, .. Encoding.Unicode.GetBytes(" \0!\nBob: ok")],
        ];
        foreach (var file in files)
        {
            var read = await Transcripts.ReadAsync(file);
            read.Cues.Select(cue => cue.Speaker).ShouldBe(["Ada", "Bob"]);
            read.Cues[0].Text.ShouldBe("caf\uFFFD \uFFFD!");
            read.Faults.ShouldContain(fault => !fault.Skipped);
        }
    }

    [Fact]
    public async Task What_is_no_transcript_is_told()
    {
        var random = new byte[5_000];
        new Random(3).NextBytes(random);
        foreach (var bytes in new[] { random, "PK\u0003\u0004\0\0\0"u8.ToArray(), "just some prose\nwithout any speaker"u8.ToArray(), "{not json"u8.ToArray(), "<html></html>"u8.ToArray() })
            (await Should.ThrowAsync<VoxbaseException>(() => Transcripts.ReadAsync(bytes))).Code.ShouldBe("transcript_format_unknown");
        foreach (var empty in new[] { "", "\uFEFF", " \r\n\t\n" })
            (await Should.ThrowAsync<VoxbaseException>(() => Transcripts.ReadAsync(empty))).Code.ShouldBe("transcript_empty");
        // Whatever it is read as, it ends, and quietly.
        foreach (var format in Enum.GetValues<TranscriptFormat>())
            await Transcripts.ReadAsync(random, format);
    }

    [Fact]
    public async Task A_line_of_ten_megabytes_costs_only_itself()
    {
        var huge = new string('x', 10 << 20);
        (await Transcripts.ReadAsync($"Ada: one\n{huge}\nAda: two")).Cues.Select(cue => cue.Text).ShouldBe(["one", "two"]);
        var vtt = await Transcripts.ReadAsync($"WEBVTT\n\n00:01.000 --> 00:02.000\nA: one\n\n00:01.000 --> 00:02.000\n{huge}\n\n00:01.000 --> 00:02.000\nA: two");
        vtt.Cues.Select(cue => cue.Text).ShouldBe(["one", "two"]);
        vtt.Faults.ShouldHaveSingleItem().Line.ShouldBe(7);
        var lines = await Transcripts.ReadAsync($"{{\"text\":\"one\"}}\n{{\"text\":\"{huge}\"}}\n{{\"text\":\"two\"}}");
        lines.Cues.Select(cue => cue.Text).ShouldBe(["one", "two"]);
        // The whole text ahead of the segments, as Whisper gives it, and a segment that nobody spoke.
        var json = await Transcripts.ReadAsync($"{{\"text\":\"{huge}\\\"\",\"segments\":[{{\"text\":\"one\"}},\n{{\"{huge}\":1,\"text\":\"{huge}\"}},\n{{\"text\":\"two\"}}]}}");
        json.Cues.Select(cue => cue.Text).ShouldBe(["one", "two"]);
        json.Faults.ShouldHaveSingleItem().ShouldBe(new TranscriptFault(2, "the text of a turn is too long", true));
        (await Transcripts.ReadAsync("Ada: " + string.Join('\n', Enumerable.Repeat(new string('y', 1_000), 1_500)))).Cues.Sum(cue => cue.Text.Count(c => c == 'y')).ShouldBe(1_500_000);
    }

    [Theory]
    [InlineData("Agent", TurnRole.Assistant)]
    [InlineData("Voice Agent 2", TurnRole.Assistant)]
    [InlineData("support_bot", TurnRole.Assistant)]
    [InlineData("AI", TurnRole.Assistant)]
    [InlineData("Abbott", TurnRole.User)]
    [InlineData("Aida", TurnRole.User)]
    [InlineData("System", TurnRole.System)]
    [InlineData(null, TurnRole.User)]
    public void Names_tell_the_side(string? name, TurnRole expected) => SpeakerNames.RoleOf(name, null, []).ShouldBe(expected);

    [Fact]
    public void Names_given_as_the_assistants_decide_alone()
    {
        SpeakerNames.RoleOf("mira", null, ["Mira"]).ShouldBe(TurnRole.Assistant);
        SpeakerNames.RoleOf("Agent Smith", null, ["Mira"]).ShouldBe(TurnRole.User);
        SpeakerNames.RoleOf("Ada", "assistant", []).ShouldBe(TurnRole.Assistant);
        SpeakerNames.RoleOf("Assistant to the director", "user", []).ShouldBe(TurnRole.User);
    }
}
