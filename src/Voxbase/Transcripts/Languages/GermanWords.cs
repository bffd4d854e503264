namespace Voxbase.Cleaning;

/// <summary>German. "er" and "um" are words here, never pauses.</summary>
internal static class GermanWords
{
    public static readonly (Words, string)[] Lists =
    [
        (Words.Filler, "mh hmh ämh äh ähm öh öhm ehm ähh ähhh ähhhh ähmm ähmmm ääh äähm ahm ahh uh uhh uhm uhmm hm hmm hmmm mhm mhmm mmh mmm öw öwm öww ömm ömh ühm eh ehh aehm aeh äm ämm umm ummm emm em uuh mm öhh ah"),
        (Words.Function | Words.Pronoun, "ich du er sie es wir ihr mich dich ihn uns euch mir dir ihm ihnen man sich wer was das dies"),
        (Words.Function | Words.Determiner, "der die das den dem des ein eine einen einem einer eines mein meine meinen meinem meiner meines dein deine deinen deinem deiner deines sein seine seinen seinem seiner seines unser unsere unseren unserem unserer euer eure euren kein keine keinen keinem keiner dieser diese dieses diesen diesem jeder jede jedes jeden jedem alle aller allen"),
        (Words.Function | Words.Preposition, "in im ins an am ans auf aus bei beim mit nach von vom vor zu zum zur für durch gegen ohne um über unter zwischen seit bis während wegen per via neben hinter trotz"),
        (Words.Function | Words.Auxiliary, "bin bist ist sind seid war warst waren wart habe hast hat haben habt hatte hatten werde wirst wird werden werdet wurde wurden würde würden kann kannst können könnt konnte könnte könnten könntest muss musst müssen müsst musste soll sollst sollen sollte sollten will willst wollen wollt wollte darf darfst dürfen möchte möchtest möchten mag sei wäre wären"),
        (Words.Function | Words.Question, "wer was wo wie wann warum wieso weshalb welche welcher welches welchen welchem wohin woher wieviel wem wen wessen"),
        (Words.Function | Words.Conjunction, "und oder aber denn weil dass ob wenn als damit sondern bzw sowie doch"),
        (Words.Function, "ja nein bitte auch noch schon nur jetzt hier da dort dann so sehr mehr mal doch also heute morgen gestern danke ok okay hallo wieder immer nun"),
        (Words.Negation, "nicht kein keine keinen keinem keiner nie niemals nichts niemand ohne"),
        (Words.Doubles, "sich sie ihr ihnen uns die das der den dem ganz sehr viel so immer nein ja mal bye"),
        (Words.DoublesAnywhere, "viele weit lange lang bald los na schnell langsam nie so hallo ja nein sehr viel ganz doch gut bye danke"),
        (Words.Number, "null eins zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig dreißig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig hundert tausend million millionen milliarde milliarden"),
        (Words.Common, "notiz notizen liste listen termin termine kalender erinnerung wecker uhrzeit datum adresse straße platz ort hotel zimmer flug reise ticket tickets karte karten angebot angebote anwendung anwendungen programm gerät einstellung einstellungen passwort code datei dateien seite bericht mail email brief paket lieferung preis preise kosten rabatt kunde kunden firma büro chef kollege kollegin team projekt frage antwort problem lösung idee grund fall stück essen trinken wasser kaffee tee brot milch fleisch gemüse obst frühstück mittagessen abendessen restaurant tisch küche wohnung tür fenster garten licht heizung fernseher computer rechner kamera lied lieder film filme serie sender nachrichten wetter regen schnee sonne sport schritte schritt kilometer meter minuten minute stunden stunde sekunden sekunde puls herz schlaf arzt gesundheit pause hilfe freund freunde freundin familie kinder mutter vater bruder schwester sohn tochter name namen leute schule lehrer schüler universität stelle tür morgen abend nacht mittag wochenende montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz april mai juni juli august september oktober november dezember deutsch englisch gesamt letzte letzten letztes nächste nächsten nächstes erste ersten zweite zweiten ganze ganzen beste besten schnell langsam spät früh heiß kalt warm richtig falsch wichtig möglich einfach schwer leicht voll leer offen zahle bezahle kaufe kaufen hebe heben nehme halte halten setze setzen stelle stellen teile teilen drucke lösche löschen ändere ändern rufe rufen höre hören sehe sehen schaue schauen lerne lernen verstehe verstehen brauche brauchen frage fragen antworte antworten erzähle erzählen spiele spiel laufe gehe fahre fahren fliege fliegen schließe schließen beginne beginnen anfangen aufhören weitermachen fortsetzen anhalten anzeigen aufnehmen abbrechen absagen aufschreiben protokolliere protokollieren erstelle erstellen verfolge verfolgen installiere installieren min max sek std km kg cm info infos auto foto bus mini zeige zeig zeigen mach mache machen nimm nehmen suche such suchen finde finden starte starten start stoppe stopp stoppen beende beenden öffne öffnen poste posten sende senden schick schicke schicken schreibe schreib schreiben lies lesen bezahle bezahlen zahlen rechnung nachricht foto video bild konto app handy telefon nummer kontakt kontakte status bestellung taxi uber fahrt training workout übung übungen lauf laufen gewicht kalorien musik spiel spielen tag woche monat jahr uhr zeit geld euro haus frau mann kind leute arbeit buch auto zug bahn weg stadt land welt leben hand teil gut neu neue neuen neuer neues groß klein lang kurz alt jung gern gerne bestelle bestellen storniere stornieren füge hinzufügen aktualisiere aktualisieren speichere speichern prüfe prüfen trage eintragen pausiere pausieren buche buchen hole holen lade laden geh gehe gehen komm komme kommen sag sage sagen gib geben lass lassen"),
        (Words.Prefix, "vor nach haupt neben ober unter ein aus an auf ab zu mit last text e"),
    ];

    public const string Cues = """
        oder nein
        nein warte
        nein quatsch
        ach quatsch
        nein halt
        nein moment
        nein entschuldigung
        nein ich meine
        nein ich meinte
        oder besser gesagt
        besser gesagt
        beziehungsweise nein
        oder vielmehr
        warte nein
        halt nein
        nein sorry
        sorry nein
        sorry ich meinte
        sorry ich meine
        """;

    public const string SingleCues = """
        nein
        sorry
        ich meine
        entschuldigung
        warte
        vielmehr
        """;
}
