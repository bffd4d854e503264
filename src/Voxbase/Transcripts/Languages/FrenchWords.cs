namespace Voxbase.Cleaning;

/// <summary>French. "ben" and "bon" carry tone, not hesitation, and stay.</summary>
internal static class FrenchWords
{
    public static readonly (Words, string)[] Lists =
    [
        (Words.Filler, "mh euh euhh euhhh euhhhh euhm heu heuu heuh hum humm hummm hm hmm hmmm mmm mmmm mmh umm um ehh eh umh uhm uh ehm em erm heum euhhhhh aaaa ah ahh"),
        (Words.Function | Words.Pronoun, "je tu il elle on nous vous ils elles me te se moi toi lui leur eux y en ça ce cela c' j' m' t' s' qui que dont ceci"),
        (Words.Function | Words.Determiner, "le la les l' un une des du de d' au aux ce cet cette ces mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs quel quelle quels quelles chaque tout toute tous toutes quelques plusieurs"),
        (Words.Function | Words.Preposition, "à au aux de d' du des en dans sur sous par pour avec sans chez vers entre depuis pendant avant après contre via jusque jusqu'à"),
        (Words.Function | Words.Auxiliary, "suis es est sommes êtes sont étais était étaient ai as a avons avez ont avais avait avaient sera serai serait vais vas va allons allez vont peux peut pouvez peuvent veux veut voulez veulent dois doit devez doivent fait voudrais pourrais peux-tu"),
        (Words.Function | Words.Question, "qui que quoi où quand comment pourquoi combien quel quelle quels quelles est-ce"),
        (Words.Function | Words.Conjunction, "et ou mais donc or ni car que si comme quand puis"),
        (Words.Function, "oui non ne pas plus très trop bien aussi encore déjà ici là maintenant s'il plaît merci bonjour stp svp alors tout c'est j'ai n'est qu'est d'un d'une l'on"),
        (Words.Negation, "ne pas jamais rien aucun aucune personne ni sans non guère n'est n'ai n'a"),
        (Words.Doubles, "nous vous très trop bien non oui tout plus si"),
        (Words.DoublesAnywhere, "là vite chut quoi longtemps loin allez allô non oui très trop si bien pis merci"),
        (Words.Number, "zéro deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante cinquante soixante cent cents mille million millions milliard milliards"),
        (Words.Common, "min max sec km kg cm mn nb info infos ado auto photo appart bus ciné resto vélo montre montrer ouvre ouvrir ouvres lance lancer affiche afficher ajoute ajouter ajout arrête arrêter arrete commence commencer termine terminer fin finir envoie envoyer prends prendre prend fais faire trouve trouver poste poster payer paye paie enregistre enregistrer note noter créer crée cherche chercher regarde regarder annule annuler commande commander joue jouer jouons reprends reprendre pause statut message photo vidéo facture compte contact contacts exercice entraînement course sport poids calories application appli app téléphone portable numéro heure jour semaine mois année temps monde vie homme femme enfant chose gens nouveau nouvelle nouveaux petit petite grand grande bon bonne jeu billet billets trajet taxi uber besoin mets mettre va aller donne donner dis dire lis lire voir vois tweet selfie mode mon"),
        (Words.Prefix, "non pré post anti auto semi multi demi après avant co ex sous sur mini"),
    ];

    public const string Cues = """
        ou plutôt
        non plutôt
        non attends
        non attendez
        non pardon
        pardon non
        enfin non
        non enfin
        non je veux dire
        non désolé
        """;

    public const string SingleCues = """
        non
        pardon
        plutôt
        je veux dire
        attends
        désolé
        """;
}
