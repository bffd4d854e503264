using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>What words sound like in each language, and the names that only those sounds find.</summary>
public sealed class LetterSoundsTests
{
    private const string German = """
        schule SH UH L AH
        deutsch D OY CH
        eis AY S
        leute L OY T AH
        häuser HH OY Z ER
        lieben L IY B AH N
        bach B AA KH
        sechs Z EH K S
        chemnitz SH EH M N IH T S
        christian K R IH S T IH AA N
        zange T S AA NG AH
        vogel F AO G AH L
        oliver AO L IH V ER
        wasser V AA S ER
        sonne Z AO N AH
        nase N AA Z AH
        straße SH T R AA S AH
        hund HH UH N T
        tag T AA K
        lieb L IY P
        herbst HH EH R P S T
        könig K OE N IH KH
        müller M UE L ER
        quelle K V EH L AH
        pfeife F AY F AH
        apfel AA P F AH L
        stein SH T AY N
        spiel SH P IY L
        fenster F EH N S T ER
        jahr Y AA R
        schröder SH R OE D ER
        schroeder SH R OE D ER
        stadt SH T AA T
        katze K AA T S AH
        nation N AA T S Y OW N
        """;

    private const string French = """
        petit P AH T IY
        grands G R AA NG
        beaux B OW
        eau OW
        roi R W AA
        jour ZH UW R
        chat SH AA
        montagne M AO NG T AA N Y
        fille F IY Y
        ville V IY L
        travail T R AA V AY
        soleil S AO L EH Y
        garçon G AA R S AO NG
        cent S AA NG
        campagne K AA NG P AA N Y
        genou ZH AH N UW
        guerre G EH R
        georges ZH AO R ZH
        quimper K EH NG P EY
        homme AO M
        habiter AA B IY T EY
        vin V EH NG
        pain P EH NG
        bien B Y EH NG
        loin L W EH NG
        bon B AO NG
        bonne B AO N
        année AA N EY
        rose R AO Z
        renault R AH N OW
        renaud R AH N OW
        reno R AH N OW
        sophie S AO F IY
        lune L UE N
        nez N EY
        thibault T IY B OW
        peugeot P OE ZH OW
        morel M AO R EH L
        morelle M AO R EH L
        chaîne SH EH N
        goût G UW
        """;

    private const string Spanish = """
        llorente Y OW R EH N T EH
        niño N IY N Y OW
        jamón KH AA M OW N
        gente KH EH N T EH
        gato G AA T OW
        cielo S Y EH L OW
        casa K AA S AA
        zapato S AA P AA T OW
        queso K EH S OW
        hora OW R AA
        guerra G EH R AA
        agua AA G W AA
        sigüenza S IY G W EH N S AA
        vaca B AA K AA
        beca B EH K AA
        perro P EH R OW
        chico CH IY K OW
        rey R EY
        yo Y OW
        hueso W EH S OW
        taxi T AA K S IY
        jaramillo KH AA R AA M IY Y OW
        """;

    [Theory]
    [InlineData("de", German)]
    [InlineData("fr", French)]
    [InlineData("es", Spanish)]
    public void Letters_sound_as_their_language_has_them(string language, string table)
    {
        var letters = Language.Find(language)!.Sounds;
        foreach (var line in table.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var (word, sounds) = (line[..line.IndexOf(' ')], line[(line.IndexOf(' ') + 1)..]);
            Phonemes.Show(letters.Of(word)).ShouldBe(sounds, word);
        }
    }

    [Fact]
    public void Any_letters_sound_like_something_in_every_language()
    {
        var random = new Random(7);
        const string letters = "abcdefghijklmnopqrstuvwxyzäöüßéèêëàâçîïôûùñáíóúœ'-1漢";
        foreach (var language in Language.All)
        {
            foreach (var letter in "abcdefghijklmnopqrstuvwxyz")
                Should.NotThrow(() => language.Sounds.Of(letter.ToString()));
            for (var n = 0; n < 2_000; n++)
            {
                var word = string.Create(random.Next(0, 60), random, static (text, random) =>
                {
                    for (var i = 0; i < text.Length; i++)
                        text[i] = letters[random.Next(letters.Length)];
                });
                language.Sounds.Of(word).Length.ShouldBeLessThanOrEqualTo(Phonemes.Longest);
            }
        }
    }

    [Theory]
    [InlineData("de", "Zwetschke", "frau zwätschge ruft zurück", "frau Zwetschke ruft zurück")]
    [InlineData("de", "Weizsäcker", "frau waizecker kommt später", "frau Weizsäcker kommt später")]
    [InlineData("de", "Zeiss", "das ist von der firma tseis", "das ist von der firma Zeiss")]
    [InlineData("fr", "Beaumont", "monsieur bomon est absent", "monsieur Beaumont est absent")]
    [InlineData("fr", "Peugeot", "il conduit une peujo depuis deux ans", "il conduit une Peugeot depuis deux ans")]
    [InlineData("fr", "Archambault", "il travaille avec archambo depuis mai", "il travaille avec Archambault depuis mai")]
    [InlineData("fr", "Deschamps", "monsieur dechamp a appelé", "monsieur Deschamps a appelé")]
    [InlineData("fr", "Champagnolle", "nous allons à champaniole", "nous allons à Champagnolle")]
    [InlineData("es", "Echeverría", "el señor hecheberia llamó", "el señor Echeverría llamó")]
    [InlineData("es", "Villanueva", "hable con la señora biyanueba", "hable con la señora Villanueva")]
    [InlineData("es", "Jaramillo", "el informe de haramiyo está listo", "el informe de Jaramillo está listo")]
    [InlineData("es", "Bohórquez", "hablé con el señor boorques", "hablé con el señor Bohórquez")]
    public void A_misheard_name_is_found_by_the_sounds_of_the_turns_language_alone(string language, string term, string raw, string cleaned)
    {
        var turn = Cleaned.Turn(raw, language, state: Cleaned.Knowing(term));
        turn.Text.ShouldBe(cleaned);
        turn.Corrections.ShouldHaveSingleItem().Reason.ShouldBe(CorrectionReasons.Lexicon);
        Cleaned.Turn(raw, "en", state: Cleaned.Knowing(term)).Corrections.ShouldNotContain(correction => correction.Corrected.Contains(term));
    }

    [Theory]
    [InlineData("de", "Microsoft Teams", "wir treffen uns in maikrosoft tiems", "wir treffen uns in Microsoft Teams")]
    [InlineData("de", "Schäuble", "bitte geben Sie mir herrn scheuble", "bitte geben Sie mir herrn Schäuble")]
    [InlineData("de", "Schröder", "frau schroeder ist da", "frau Schröder ist da")]
    [InlineData("fr", "Guillaume", "bonjour guiyome comment allez-vous", "bonjour Guillaume comment allez-vous")]
    [InlineData("es", "Zaragoza Logística", "trabajo en saragosa logística", "trabajo en Zaragoza Logística")]
    public void Names_of_any_language_are_found_in_one_that_is_detected(string language, string term, string raw, string cleaned)
    {
        var state = Cleaned.Knowing(term);
        state.Add(language switch { "de" => "Ich habe das schon gesagt.", "fr" => "C'est ce que je vous ai dit.", _ => "Eso es lo que le dije." }, TurnTrust.Heard);
        Cleaned.Text(raw, null, state: state).ShouldBe(cleaned);
    }

    [Fact]
    public void One_list_of_terms_serves_conversations_of_every_language()
    {
        var terms = new TermIndex(["Zwetschke", "Beaumont", "Villanueva", "Agnes Kowalski"]);
        for (var round = 0; round < 2; round++)
        {
            Cleaned.Text("frau zwätschge ruft an", "de", state: new CleaningState(terms)).ShouldBe("frau Zwetschke ruft an");
            Cleaned.Text("monsieur bomon est là", "fr", state: new CleaningState(terms)).ShouldBe("monsieur Beaumont est là");
            Cleaned.Text("la señora biyanueba llamó", "es", state: new CleaningState(terms)).ShouldBe("la señora Villanueva llamó");
            Cleaned.Text("please ask agnes kovalsky", "en", state: new CleaningState(terms)).ShouldBe("please ask Agnes Kowalski");
        }
    }

    [Fact]
    public void A_name_that_was_written_is_found_in_its_conversations_language()
    {
        var state = Cleaned.After(("Guten Tag, Frau Zwetschke, was kann ich für Sie tun?", TurnTrust.Written));
        Cleaned.Text("die frau zwätschge war schon hier", null, state: state).ShouldBe("die Frau Zwetschke war schon hier");
    }

    // Names that sound much like words of the sentences below.
    private static readonly string[] Trusted =
    [
        "Graf", "Schneider", "Lange", "André", "Thomas", "Acciona", "Deschamps", "Fournier", "Delgado", "Márquez", "Vargas", "Cortés", "König", "Simon",
        "Fontaine", "Berger", "Peters", "Durán", "Sanz", "Torres", "Campos", "Lopez", "Denis", "Montero", "Faure", "Köhler", "Vega", "Weiß", "Sommer", "Auchan",
        "Zeiss", "Kaiser", "Ferrer", "Nieto", "Salesforce", "Agnes Kowalski", "Zaragoza", "Générale", "Engie", "Slack", "Blanco", "Molina", "Morales", "Roche",
    ];

    [Theory]
    [InlineData("de", "die andere Anwendung zeigt mir die Länge der Strecke und die Kommas fehlen")]
    [InlineData("de", "wir wandern im sommer und fahren daran vorbei")]
    [InlineData("de", "die aktion beginnt im winter mit einer weißen flagge")]
    [InlineData("de", "er schuldet dem kellner noch geld für den burger")]
    [InlineData("de", "ich schreibe morgen einen längeren brief an die versicherung")]
    [InlineData("fr", "nous avons reçu trois cents colis avant l'entrée en vigueur")]
    [InlineData("fr", "sinon les champs sont blancs et la terre est froide")]
    [InlineData("fr", "il faut d'abord couper les fils puis montrer la fontaine")]
    [InlineData("fr", "les cartes sont connues et le fort est fermé depuis hier")]
    [InlineData("fr", "tourne à gauche et prends la deuxième rue jusqu'à la roche")]
    [InlineData("es", "la acción genera cargas en varias marcas")]
    [InlineData("es", "en este caso el delegado general tiene que esperar")]
    [InlineData("es", "los campos están llenos de flores y las torres son altas")]
    [InlineData("es", "hay que cortar las hojas y poner seis comas")]
    [InlineData("es", "el molino es viejo y la moral está por los suelos")]
    public void Ordinary_sentences_keep_their_words_among_names_that_sound_alike(string language, string raw) =>
        Cleaned.Turn(raw, language, state: Cleaned.Knowing(Trusted)).Corrections
            .Where(correction => correction.Reason == CorrectionReasons.Lexicon).ShouldBeEmpty();
}
