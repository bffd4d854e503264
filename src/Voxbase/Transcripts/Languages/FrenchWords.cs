namespace Voxbase.Cleaning;

/// <summary>French. "ben" and "bon" carry tone, not hesitation, and stay.</summary>
internal static class FrenchWords
{
    public static readonly (Words, string)[] Lists =
    [
        (Words.Filler, "mh mhm euh euhh euhhh euhhhh euhm heu heuu heuh hum humm hummm hm hmm hmmm mmm mmmm mmh umm um ehh eh umh uhm uh ehm em erm heum euhhhhh aaaa ah ahh"),
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
        (Words.Ordinary, "début milieu côté partie raison façon manière affaire affaires mot mots phrase nombre groupe domaine niveau forme couleur taille hauteur longueur largeur force valeur règle droit droits devoir tâche but objectif projet projets essai succès erreur erreurs cause effet résultat avantage différence exemple sujet point points contrat coût coûts prix achat vente marché marchandise produit produits banque caisse carte cartes crédit impôt salaire loyer assurance somme montant entreprise usine commerce industrie technique appareil machine système réseau logiciel données donnée ordinateur serveur imprimante écran touche appel appels réunion rendez-vous rencontre visite invité vacances valise aéroport gare rue pont tour montagne rivière fleuve lac mer forêt champ champs arbre fleur animal chien chat oiseau cheval poisson ciel terre air feu pierre bois métal verre papier tissu huile gaz courant pression charge température degré nord sud ouest gauche droite haut bas dessus dessous arrière centre bord tête œil yeux oreille nez bouche cou bras jambe pied pieds dos ventre peau sang corps âme esprit pensée sentiment peur joie amour haine bonheur chance souhait rêve espoir guerre paix loi état gouvernement politique parti élection peuple citoyen ville village église dieu dame garçon fille bébé parents parent mère père frère sœur fils oncle tante voisin voisine âge jeunesse mort naissance maladie fièvre douleur médicament pharmacie hôpital médecin patient avocat juge police accident dégât voleur tribunal jugement autre autres certain certains certaine plupart beaucoup peu assez presque environ peut-être vraiment exactement enfin ensemble seul seule seuls d'abord ensuite après-midi matin soir nuit hier demain aujourd'hui avant-hier bientôt toujours souvent parfois rarement dedans dehors partout ailleurs ainsi aussitôt cependant pourtant sinon afin lorsque tandis parce malgré selon parmi durant hors penser pense pensé croire crois croit savoir sais sait connaître connais connaît connu connus connue connues vouloir voulu pouvoir falloir faut devenir devient rester reste resté tomber tombe tenir tient tenu porter porte mener mène conduire construire grandir monter monte descendre descend changer change tourner tourne voyager nager danser danse chanter chante rire pleurer cuisiner laver nettoyer couper coupe casser casse brûler geler gagner gagne perdre perd perdu aider aide remercier demander demande demandé répondre réponse réponses parler parle parlé acheter achète vendre vend vendu livrer livré recevoir reçoit reçu offrir offre manquer manque plaire appartenir sembler semble paraître décider décide expliquer explique décrire signifier utiliser utilise utilisé oublier oublie rappeler rappelle remarquer promettre interdire permettre permet souhaiter espérer espère attendre attend entrer entrée entrées sortir sort sortie partir part revenir revient venu venir vient passer passe passé laisser laisse choisir choisi suivre suit suivi vivre vit vécu naître né mourir servir sert dormir dort courir court jeter jette appuyer composer composé compter signer signe fermer ferme fermé tirer tire pousser pousse toucher sentir sens écouter écoute entendre entend lever lève coucher tapez taper fort forte forts fortes faible haute hauts large étroit proche mince épais rond plat lisse dur dure doux douce pointu sucré salé amer frais fraîche pourri propre sale clair claire sombre rouge bleu bleue vert verte jaune brun gris grise blanc blanche blancs noir noire riche pauvre cher chère gratuit malade sain fatigué content contente triste drôle sérieux méchant gentil gentille poli intelligent bête courageux honnête étranger célèbre vrai vraie faux fausse nécessaire possible facile difficile simple important premier première second seconde dernier dernière prochain prochaine moitié tiers quart censé celui celle ceux celles laquelle lequel lesquels lesquelles toutefois moins mieux pire colis unité mauvais mauvaise joli jolie beau belle vieux vieille jeune même mêmes quelque quelqu'un chacun"),
        (Words.Known, "marie jeanne françoise monique catherine nathalie isabelle sylvie anne martine nicole valérie sophie julie camille léa chloé emma manon laura sarah lucie céline aurélie émilie hélène élodie jean michel andré philippe rené louis alain jacques bernard marcel daniel roger robert paul claude christian henri georges nicolas françois pascal éric laurent frédéric olivier stéphane david julien thomas antoine alexandre lucas hugo maxime quentin franck patrick gérard thierry bruno denis charles arthur simon paris lyon marseille toulouse bordeaux lille nantes nice strasbourg montpellier rennes reims grenoble dijon angers tours brest rouen genève lausanne bruxelles montréal québec france allemagne espagne italie angleterre amérique europe suisse belgique canada maroc algérie tunisie chine japon inde"),
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
