namespace Voxbase.Cleaning;

/// <summary>German. "er" and "um" are words here, never pauses.</summary>
internal static class GermanWords
{
    public static readonly (Words, string)[] Lists =
    [
        (Words.Filler, "mh hmh ämh äh ähm öh öhm ehm ähh ähhh ähhhh ähmm ähmmm ääh äähm ahm ahh uh uhh uhm uhmm hm hmm hmmm mhm mhmm mmh mmm öw öwm öww äw äwm äww ömm ömh ühm eh ehh aehm aeh äm ämm umm ummm emm em uuh mm öhh ah"),
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
        (Words.Common, "halt stornier notiz notizen liste listen termin termine kalender erinnerung wecker uhrzeit datum adresse straße platz ort hotel zimmer flug reise ticket tickets karte karten angebot angebote anwendung anwendungen programm gerät einstellung einstellungen passwort code datei dateien seite bericht mail email brief paket lieferung preis preise kosten rabatt kunde kunden firma büro chef kollege kollegin team projekt frage antwort problem lösung idee grund fall stück essen trinken wasser kaffee tee brot milch fleisch gemüse obst frühstück mittagessen abendessen restaurant tisch küche wohnung tür fenster garten licht heizung fernseher computer rechner kamera lied lieder film filme serie sender nachrichten wetter regen schnee sonne sport schritte schritt kilometer meter minuten minute stunden stunde sekunden sekunde puls herz schlaf arzt gesundheit pause hilfe freund freunde freundin familie kinder mutter vater bruder schwester sohn tochter name namen leute schule lehrer schüler universität stelle tür morgen abend nacht mittag wochenende montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz april mai juni juli august september oktober november dezember deutsch englisch gesamt letzte letzten letztes nächste nächsten nächstes erste ersten zweite zweiten ganze ganzen beste besten schnell langsam spät früh heiß kalt warm richtig falsch wichtig möglich einfach schwer leicht voll leer offen zahle bezahle kaufe kaufen hebe heben nehme halte halten setze setzen stelle stellen teile teilen drucke lösche löschen ändere ändern rufe rufen höre hören sehe sehen schaue schauen lerne lernen verstehe verstehen brauche brauchen frage fragen antworte antworten erzähle erzählen spiele spiel laufe gehe fahre fahren fliege fliegen schließe schließen beginne beginnen anfangen aufhören weitermachen fortsetzen anhalten anzeigen aufnehmen abbrechen absagen aufschreiben protokolliere protokollieren erstelle erstellen verfolge verfolgen installiere installieren min max sek std km kg cm info infos auto foto bus mini zeige zeig zeigen mach mache machen nimm nehmen suche such suchen finde finden starte starten start stoppe stopp stoppen beende beenden öffne öffnen poste posten sende senden schick schicke schicken schreibe schreib schreiben lies lesen bezahle bezahlen zahlen rechnung nachricht foto video bild konto app handy telefon nummer kontakt kontakte status bestellung taxi uber fahrt training workout übung übungen lauf laufen gewicht kalorien musik spiel spielen tag woche monat jahr uhr zeit geld euro haus frau mann kind leute arbeit buch auto zug bahn weg stadt land welt leben hand teil gut neu neue neuen neuer neues groß klein lang kurz alt jung gern gerne bestelle bestellen storniere stornieren füge hinzufügen aktualisiere aktualisieren speichere speichern prüfe prüfen trage eintragen pausiere pausieren buche buchen hole holen lade laden geh gehe gehen komm komme kommen sag sage sagen gib geben lass lassen"),
        (Words.Ordinary, "anfang ende art weise sache ding dinge wort wörter satz sätze zahl menge reihe gruppe bereich ebene stufe form farbe größe höhe länge breite tiefe stärke wert werte regel regeln recht rechte pflicht aufgabe aufgaben ziel ziele plan pläne versuch erfolg fehler ursache folge wirkung ergebnis ergebnisse vorteil nachteil unterschied beispiel beispiele thema punkt punkte fach vertrag verträge kauf verkauf markt ware produkt produkte bank kasse kredit zins zinsen steuer steuern gehalt lohn miete versicherung summe betrag konzern betrieb branche handel industrie technik geräte maschine werk system netz netzwerk software daten server drucker bildschirm taste tasten anruf anrufe gespräch gespräche sitzung besprechung treffen vortrag gast gäste besuch ausflug urlaub ferien koffer flughafen bahnhof brücke turm berg fluss see meer wald feld baum blume tier hund katze vogel pferd fisch himmel erde luft feuer stein holz metall glas papier stoff öl gas strom kraft druck temperatur grad norden süden osten westen links rechts oben unten vorn vorne hinten innen außen mitte rand kopf auge augen ohr nase mund hals arm bein fuß füße rücken bauch haut blut körper seele geist gedanke gefühl angst freude liebe hass glück pech wunsch traum hoffnung krieg frieden gesetz staat regierung politik partei wahl volk bürger dorf gemeinde kirche gott mensch menschen person personen herr dame junge mädchen baby eltern großmutter großvater onkel tante nachbar alter jugend tod geburt krankheit fieber schmerz schmerzen medikament apotheke krankenhaus pfleger patient patienten anwalt richter polizei unfall schaden schäden dieb gericht urteil andere anderen anderer anderes anders eigentlich vielleicht natürlich wirklich ziemlich ungefähr genau endlich zusammen allein zuerst zuletzt später früher gleich sofort oft manchmal selten einmal zweimal daran darauf daraus dabei dafür dagegen danach daneben darin darum darüber darunter davon davor dazu hierbei hierfür hierzu wobei wofür womit wozu denken denkt dachte glauben glaubt wissen weiß wusste kennen kennt kannte meint nennen nennt nannte hoffen warten wartet bleiben bleibt blieb stehen steht stand liegen liegt lag sitzen sitzt saß hängen fallen fällt fiel ziehen zieht zog tragen trägt trug bringen bringt brachte führen führt leiten bauen baut schaffen schafft wachsen wächst sinken steigen steigt ändert dreht drehen wandern reisen schwimmen tanzen singen lachen weinen kochen backen waschen putzen schneiden brechen brennen frieren regnen schneien gewinnen gewinnt verlieren verliert verlor kämpfen siegen helfen hilft half danken bitten bat fragt gefragt gesagt gemacht gegangen gekommen gegeben genommen gesehen gehört gelesen geschrieben gekauft bezahlt bestellt gebucht geliefert geschickt bekommen bekommt erhalten erhält bieten bietet fehlen fehlt passen passt gefallen gefällt gehören scheinen scheint beschließen entscheiden entschieden erklären erklärt beschreiben bedeuten bedeutet verwenden verwendet benutzen nutzen nutzt vergessen vergisst erinnern merken bemerken versprechen verbieten erlauben wünschen freuen ärgern streiten lösen löst schulden schulde wiegen wiege stark schwach hoch hohe hohen tief breit eng nah dünn dick rund flach glatt rau hart weich scharf stumpf süß sauer bitter salzig frisch faul sauber schmutzig hell dunkel rot blau grün gelb braun grau schwarz bunt reich teuer billig günstig kostenlos krank gesund müde wach hungrig durstig satt froh traurig lustig ernst böse lieb nett freundlich höflich klug dumm fleißig mutig feige ehrlich treu fremd bekannt berühmt selbst eigene eigenen ander solche solchen manche manchen einige einigen mehrere mehreren beide beiden halb halbe halben dritte dritten vierte fünfte"),
        (Words.Known, "anna anne lisa laura julia lena sarah marie sophie hanna hannah emma mia lea nina katrin kathrin sabine petra monika claudia susanne andrea martina birgit stefanie stephanie christine karin ursula renate brigitte angelika thomas michael andreas peter stefan stephan christian martin frank klaus wolfgang jürgen bernd uwe dieter hans heinz werner günter horst karl paul lukas lucas leon felix maximilian jonas tim jan philipp philip daniel david simon sebastian tobias florian alexander markus marcus matthias mathias oliver jens sven ralf rolf rainer berlin hamburg münchen köln frankfurt stuttgart düsseldorf leipzig dresden hannover nürnberg bremen dortmund bonn wien zürich bern basel genf graz salzburg deutschland österreich schweiz frankreich spanien italien england amerika europa polen türkei russland china japan indien mannheim heidelberg potsdam münster"),
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
