using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>
/// Speech as it should be that looks as if it were not: words that stand twice, begin again, carry nothing elsewhere or take back elsewhere. A cleaner
/// that changes one of these makes good text worse.
/// </summary>
public sealed class FluentSpeechTests
{
    private const string English = """
        Put it in the, in my view, best place.
        He works in the in house team.
        As a child as an adult he was kind.
        On the one hand, on the other hand, we hesitate.
        That that is true does not mean that that is enough.
        The paper that that author wrote won a prize.
        She had had the same thought years before.
        What he does does not concern the board.
        It was very, very cold on the platform.
        They waited a long, long time for the second train.
        I really, really appreciate the help.
        We went round and round the block looking for a space.
        Day after day after day the same letter arrived.
        Step by step we moved the cables over.
        Again and again the committee returned to the budget.
        More and more people work from home.
        Bit by bit, the garden took shape.
        He told her her keys were in the drawer.
        Give her her coat before she leaves.
        What it is is a matter of trust.
        If you can, you can; if not, call me.
        When it rains, it rains for weeks here.
        If it breaks, it breaks, and then we buy a new one.
        No, no, that is not what the letter says.
        Yes, yes, I have the tickets right here.
        Bye bye, see you on Tuesday.
        The band Duran Duran played two songs.
        We spent a week in Walla Walla last June.
        Do you know whether the shop opens early?
        You know what I think about that plan.
        If you know, you know.
        As you know, we moved the office last spring.
        Let me know if you know anyone there.
        Did you know you could pay online?
        I know you know the rules by heart.
        What do you mean by a soft launch?
        That is exactly what I mean when I say flexible.
        I mean what I say and I say what I mean.
        I like the way you like your coffee.
        It looks like a good place to stop.
        People like him like to be asked first.
        She sort of expected a kind of apology.
        So far so good, said the pilot.
        So, so many people came that we ran out of chairs.
        Well, I suppose that would work too.
        Oh well, there is always next year.
        Right now the right side is closed.
        I was in in the end, after all that waiting.
        Come in in a minute when I wave.
        The lights were on on both floors.
        She logged in into the night, every hour.
        He did, did he?
        Police police police in that old joke.
        Rather than wait, we drove to the coast.
        I would rather not say who called.
        Wait for me at the gate, please.
        No wait times were reported on Friday.
        Sorry to hear about the roof.
        I am sorry, I cannot find your order.
        Actually, the meeting is at noon.
        Tell me what you actually want.
        Hold on to the rail and hold on tight.
        The ER doctor talked to the UM lawyer.
        His initials are U.H. and hers are E.R.
        Call nine one one one more time and you will pay a fine.
        The code is seven seven four four two.
        My number is five five five, zero one zero zero.
        It costs ten, ten dollars fifty with tax.
        We sold two thousand, two thousand more than last year.
        The vote was forty forty with two abstentions.
        Chapter one, one of the longest, is about salt.
        It is one to one with a coach.
        We read pre- and post-war letters.
        Both short- and long-term rates rose.
        A two- or three-day trip would be fine.
        This is a re-creation, not a recreation.
        His ex-wife and his ex-boss both came.
        The co-owner co-signed the loan.
        Tom Tom sells maps.
        She calls him Jo Jo.
        Boutros Boutros-Ghali led the assembly.
        The sign says "stop stop stop" in red.
        Run "git git" and see what it answers.
        Mail it to the the@example.org address.
        He said "um, um, well" and sat down.
        It was, as they say, a long story.
        To be, or not to be, is not on the agenda.
        Now, now, let us not shout.
        Knock knock, who is there?
        Please, please lock the door.
        Far, far away there was a lighthouse.
        Many, many thanks for coming.
        The more you wait, the more you pay.
        First come, first served.
        Like father, like son.
        Home sweet home, he wrote above the door.
        From time to time and from place to place it changes.
        He goes from door to door and from town to town.
        Face to face it went much better than by mail.
        Word for word, she repeated the sentence.
        Side by side the two boats left the harbour.
        Year over year the rate fell by a third.
        They were talking to people who talk to people for a living.
        The king of kings of old was no friend of theirs.
        Business is business, and a deal is a deal.
        Boys will be boys, he said and shrugged.
        Enough is enough.
        We are who we are because we are here.
        It is what it is.
        She is as she is, and he is as he is.
        The car is here, the car is there, the car is everywhere.
        You win some, you lose some.
        The one one wants is always sold out.
        Those who can, do; those who cannot, teach.
        An apple and an orange and an egg were left.
        I or you or someone we know must sign.
        Neither he nor she nor they had read it.
        It will, will it not, be ready by noon.
        Anyway, that was the year we moved.
        Mark marked the page and Bill billed the client.
        Grant granted the grant.
        The car carpet was wet.
        The book bookkeepers keep is thick.
        Can candles be left burning?
        In insurance, timing matters.
        On one side there is a wall.
        At attention, the guards stood still.
        He was be beside himself, the script says.
        As a team we do well, as a team of teams even better.
        Hear, hear, shouted the back row.
        Call now or wait until Monday.
        You can leave or wait for the others.
        There is actually no way around it.
        There is actually no one at the desk.
        We have actually no idea what happened.
        There was no wait at the clinic.
        With no wait at all we got in.
        You can hang up or hold on to the line.
        I'm sorry no one told you about it.
        What I meant to say is that we agree.
        Hi, I meant to ask you about the lease.
        All I meant to say was thank you.
        You can walk or instead of walking take the bus.
        Sing or tell me a story.
        Please wait no longer than an hour.
        Pay by card or make that call to the bank.
        He said yeah and she said yeah as well.
        Oh yeah, that is the one.
        Yeah, yeah, the red one.
        She is okay, he is okay, they are okay.
        We are here and we're staying.
        I am sure I'm right.
        They were late because they're always late.
        You will see, you'll like it.
        The product products like these need is a stand.
        My name is on the list and her name is not.
        His name is spelled with two letters.
        That is an A to Z of gardening.
        We use plan A, plan B and plan C.
        The units are A, B, C and D.
        The I in team is missing.
        Vitamin C and vitamin D are sold out.
        The golf hotel in India was fine.
        Mike and Oscar met Victor in November.
        """;

    private const string German = """
        Wenn der Name nicht angegeben wird, wird der alte genommen.
        wenn kein Name angegeben wird wird der alte genommen
        Wer gegangen ist, ist nicht mehr da.
        Benennen Sie die Datei um, um Platz zu schaffen.
        Der Ordner, in das die Datei kommt, ist leer.
        Das Feld, in das das Ergebnis kommt, ist rot.
        Die Stelle, an der der Weg endet, liegt hoch.
        Der Grund, durch den die Tür klemmt, ist der Regen.
        Sie führt eine Regel ein, die keiner mag.
        Projekte, die die Stadt bezahlt, dauern lange.
        projekte die die stadt bezahlt dauern lange
        Wir arbeiten an anderen Tagen.
        Er sprach mit mitgebrachten Karten.
        Spiele mit Freunden spielen macht Spaß.
        Spiele spielen macht Spaß.
        Die Frage, ob ich will, möchte ich nicht hören.
        Was er kann, könnte jeder.
        Das Interesse an Anzeigen.
        Das, das sie meint, steht im Regal.
        Die, die zuletzt kamen, saßen hinten.
        Der, der das schrieb, wohnt hier nicht mehr.
        Alle, die die Prüfung bestanden haben, feiern heute.
        Ich kenne die Leute, die die Brücke gebaut haben.
        Das Kind, das das Fenster öffnete, lachte.
        Er sah den Mann, der der Polizei half.
        Leute die die Stadt kennen fahren nicht mit dem Auto.
        Es ist sehr, sehr kalt heute Morgen.
        Wir haben lange, lange gewartet.
        Nach und nach kamen alle nach Hause.
        Schritt für Schritt geht es weiter.
        Tag für Tag dieselbe Frage.
        Mehr und mehr Menschen ziehen aufs Land.
        Immer wieder und wieder fragt er dasselbe.
        Sie, sie ganz allein, hat das geschafft.
        Wenn du kommst, kommst du eben.
        Wenn er will, will er.
        Was sein muss, muss sein.
        Wer wagt, gewinnt, und wer nicht wagt, verliert.
        Nein, nein, so war das nicht gemeint.
        Ja, ja, ich habe es verstanden.
        Er fährt um die Ecke und um den See.
        Sie kommt um eins, er um zwei.
        Er, der er nie lachte, lachte.
        Er ist ja ja eben erst gekommen.
        Das ist ja wohl ein Witz.
        Ich habe also alles also doch richtig gemacht.
        Das stimmt genau, genau so war es.
        Er hat genau das genau so gesagt.
        Wir fahren nach Baden-Baden und dann nach Hause.
        Wir fahren nach Baden Baden weiter.
        Wir spielen Ping Pong im Keller.
        Ich bestelle die Suppe und er bestellt die Suppe auch.
        Er ging auf auffällige Weise hinaus.
        Sie arbeitet an anderen Tagen.
        In Indien war es heiß.
        Zu zuverlässig darf man nicht sein.
        Der Vor- und Nachteil liegt auf der Hand.
        Haupt- und Nebeneingang sind geschlossen.
        Be- und Entladen ist erlaubt.
        Ich nehme ein oder zwei, vielleicht auch drei.
        Die Nummer ist vier vier sieben sieben.
        Er sagte "äh, äh, ja" und ging.
        Ich mein ja nur, dass es spät ist.
        Ich meine, wir sollten gehen.
        Ich meinte das anders.
        Oder besser noch, wir laufen.
        Warte nicht auf mich.
        Entschuldigung, ist hier noch frei?
        Halt dich fest und halt den Mund.
        Moment mal, das ist mein Platz.
        Mein Vater und meine Mutter und mein Bruder kommen.
        So so, das ist also der neue Wagen.
        Na na, nicht so schnell.
        Weit, weit weg liegt ein Dorf.
        Viele, viele Grüße aus dem Süden.
        Ganz, ganz langsam öffnete sich die Tür.
        Das Wasser, das das Rad treibt, ist kalt.
        Ich will, dass das das letzte Mal war.
        Sie gab ihr ihr Buch zurück.
        Er half ihnen ihnen zuliebe.
        Wir haben uns uns selbst überlassen.
        Ein Mann, ein Wort.
        Auge um Auge, Zahn um Zahn.
        Hand in Hand gingen sie nach Hause.
        Von Tür zu Tür und von Haus zu Haus.
        Je mehr, desto besser, je früher, desto lieber.
        Film filmt man mit einer Kamera.
        Das Training trainiert den Rücken.
        Ein Foto fotografiert man nicht.
        Spiel spielt man mit Freunden.
        Der Bau baut sich nicht von allein.
        Ich laufe, laufe und laufe.
        Es war einmal und es war keinmal.
        Sage mir, was ich sage.
        Kauf ein, was du kaufst.
        Hör auf, bitte, hör auf.
        Gut, gut, dann machen wir es so.
        Danke, danke, das war nett.
        Los, los, wir kommen zu spät.
        Bald, bald ist Sommer.
        Ich kenne Leute, die das sagen.
        Leute, die das die ganze Zeit sagen, nerven.
        Sag das der Chefin und gib das dem Boten.
        Zeig das den Kindern.
        Gib die den Nachbarn zurück.
        Der Mann, der das schrieb, ist alt.
        Die Frau, die den Hund führt, winkt.
        Das Buch, das die Lehrerin empfahl, ist teuer.
        Komm her oder warte dort.
        Das ist größer oder besser als vorher.
        Was ich meinte, war etwas anderes.
        So ein Quatsch kommt mir nicht ins Haus.
        Ach nein, wie schade.
        Das ist ja genau das, was ich sage.
        Ja genau, so machen wir es.
        Also doch, er hat es gewusst.
        Wir haben gut und ja auch gern gegessen.
        Ich will, und er möchte auch.
        Mein Name steht auf der Liste.
        Ich heiße dich willkommen.
        Die Punkte A, B und C sind offen.
        Sie sagt, sie sehe sie sie nicht an.
        """;

    private const string French = """
        Il va à Paris et au Havre.
        Ouvrir et fermer la porte fait du bruit.
        Parler, parlez, parlons : trois formes.
        Commencer, commence par le début.
        De la part de nous deux.
        Nous nous sommes vus hier soir.
        Vous vous trompez de porte.
        Nous nous nous en moquons bien, dit-il.
        Ceux que vous vous imaginez sont partis.
        C'est très, très loin d'ici.
        Il fait très très froid ce matin.
        Non, non, ce n'est pas ça.
        Oui, oui, j'ai bien compris.
        Petit à petit, l'oiseau fait son nid.
        Jour après jour, la même lettre.
        Pas à pas, elle avance.
        De plus en plus de gens partent.
        Il faut que tu te tiennes tranquille.
        Elle est là, là où tu l'as laissée.
        Si tu viens, tu viens seul.
        Quand il pleut, il pleut longtemps.
        Ce que tu dis, tu le dis bien.
        C'est ce que je veux dire.
        Bon, alors on y va.
        Bon ben voilà, c'est fini.
        Tant pis, tant pis pour eux.
        Il joue un sol et un la.
        On se voit de temps en temps.
        Une fois, une seule, il a dit oui.
        Elle, elle sait ce qu'elle veut.
        Moi, moi je reste ici.
        Toi, toi tu ne dis rien.
        Lui, lui seul le sait.
        Qui vivra verra, qui verra saura.
        Le chef, chef de gare, est absent.
        Mes amis, amis de toujours, arrivent.
        Plus on attend, plus on paie.
        Dix, dix minutes tout au plus.
        Le code est quatre quatre sept.
        Mon numéro est zéro six, zéro six, douze.
        Il dit "euh, euh" et se tait.
        Quoi, quoi, qu'est-ce qu'il y a ?
        Pardon, je cherche la gare.
        Je voudrais plutôt un thé.
        Attendez le bus devant la mairie.
        L'un et l'autre, l'un après l'autre.
        Les uns, les autres, tous sont venus.
        Il rit, rit, et ne s'arrête plus.
        Vite, vite, le train part.
        Chut, chut, il dort.
        Bonbon et tonton sont des mots.
        Un par un, ils sont sortis.
        De jour en jour, de mois en mois.
        Face à face, ils se sont tus.
        Mot à mot, il répéta la phrase.
        Coûte que coûte, il faut finir.
        Le par cœur et le par hasard.
        Tout tout de suite, c'est trop.
        Que tu viennes ou non, je pars.
        Tu viens ou non ce soir ?
        Ce que je voulais dire, c'est merci.
        Oui, oui, prends le train.
        Un oui est un oui, un non est un non.
        L'appli et l'application sont à jour.
        Le voilà, la voilà, les voilà.
        Je m'appelle ainsi depuis toujours.
        Mon nom est sur la liste.
        Les lettres A, B et C manquent.
        Elle l'a lue à la une du journal.
        """;

    private const string Spanish = """
        No, no es eso lo que dije.
        No no, gracias, ya comí.
        Sí, sí, claro que sí.
        Muy, muy lejos hay un pueblo.
        Es muy muy tarde para eso.
        Poco a poco se llenó la plaza.
        Paso a paso llegamos.
        Día tras día la misma carta.
        Cada vez más y más gente.
        Este es el que te dije.
        Esta este año no viene.
        Pues bueno, ya veremos.
        Este libro y este otro son míos.
        O sea que no vienes.
        Si vienes, vienes solo.
        Cuando llueve, llueve mucho.
        Lo que es, es.
        Dice que qué quieres.
        Él y el hermano de él llegaron.
        Se se escribe sin tilde.
        El código es cuatro cuatro siete.
        Mi número es seis seis cero uno.
        Dijo "eh, eh" y calló.
        Perdón, busco la estación.
        Espera un momento, por favor.
        Prefiero más bien un té.
        Mejor dicho, así lo creo.
        Ya ya, lo entiendo.
        Adiós, adiós, hasta mañana.
        Vale, vale, lo hago.
        Uno a uno salieron.
        De casa en casa y de puerta en puerta.
        Cara a cara es mejor.
        Palabra por palabra lo repitió.
        Cuanto más esperas, más pagas.
        Mi casa es tu casa y tu casa es mi casa.
        Ella, ella sola lo hizo.
        Yo, yo no sé nada.
        Tú, tú siempre igual.
        Rápido, rápido, que sale el tren.
        Ríe y ríe sin parar.
        Una vez, una sola, dijo que sí.
        Tanto, tanto frío no hace.
        Bueno, bueno, no pasa nada.
        Así, así está mejor.
        El coche, coche de empresa, está roto.
        Nada nada como un pez.
        Él no espera nada de nadie.
        Si quieres o no quieres, da igual.
        No quiero decir nada más.
        No mejor que ayer, pero bien.
        Es más bien pequeño.
        Me llamo así desde siempre.
        Mi nombre está en la lista.
        Las letras A, B y C faltan.
        Sí, sí, claro, claro.
        Ya, ya, ya lo sé.
        """;

    [Theory]
    [InlineData("en", English)]
    [InlineData("de", German)]
    [InlineData("fr", French)]
    [InlineData("es", Spanish)]
    public void Fluent_speech_stays_as_it_is(string language, string sentences) =>
        sentences.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(sentence => Cleaned.Text(sentence, language) != sentence)
            .ShouldBeEmpty();

    [Theory]
    [InlineData("en", English)]
    [InlineData("de", German)]
    [InlineData("fr", French)]
    [InlineData("es", Spanish)]
    public void Fluent_speech_stays_when_names_are_known(string language, string sentences)
    {
        var state = Cleaned.Knowing("Agnes Kowalski", "Thessaly Foods", "Zephanta");
        state.Add("Could you spell that?", TurnTrust.Written);
        state.Add("k o w a l s k i", TurnTrust.Heard);
        sentences.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(sentence => Cleaned.Text(sentence, language, state: state) != sentence)
            .ShouldBeEmpty();
    }
}
