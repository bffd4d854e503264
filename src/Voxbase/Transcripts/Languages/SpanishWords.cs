namespace Voxbase.Cleaning;

/// <summary>Spanish. "este", "pues" and "bueno" are words first, and stay; "eh" calls for attention at the beginning of a turn.</summary>
internal static class SpanishWords
{
    public static readonly (Words, string)[] Lists =
    [
        (Words.Filler, "eh ehh eeh em emm ehm mmm mmmm mm hm hmm um uh uhm eee eeee"),
        (Words.Function | Words.Pronoun, "yo tú él ella ello usted nosotros vosotros ellos ellas ustedes me te se lo la los las le les nos os mí ti sí que quien eso esto esta este"),
        (Words.Function | Words.Determiner, "el la los las un una unos unas mi mis tu tus su sus nuestro nuestra nuestros nuestras este esta estos estas ese esa esos esas aquel aquella cada todo toda todos todas"),
        (Words.Function | Words.Preposition, "a al de del en con sin por para sobre entre desde hasta hacia según durante contra bajo tras"),
        (Words.Function | Words.Auxiliary, "soy eres es somos son era eras eran fue fueron estoy estás está estamos están estaba he has ha hemos han había puedo puedes puede podemos pueden quiero quieres quiere debo debe tengo tienes tiene tenemos tienen voy vas va vamos van"),
        (Words.Function | Words.Question, "qué quién quiénes dónde cuándo cómo cuál cuáles cuánto cuánta cuántos cuántas"),
        (Words.Function | Words.Conjunction, "y e o u pero porque si que como cuando aunque pues sino ni"),
        (Words.Function, "sí no muy más ya también aquí allí ahora bien hola gracias favor hoy ayer mañana bueno"),
        (Words.Negation, "no nunca jamás nada nadie ningún ninguna ninguno ni tampoco sin"),
        (Words.Doubles, "muy no sí nos se bien ya"),
        (Words.DoublesAnywhere, "adiós vale vamos venga rápido así tanto tan poco hola perdón no sí muy ya bueno bien gracias"),
        (Words.Number, "cero dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve veinte veintiuno treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento mil millón millones"),
        (Words.Common, "muestra mostrar abre abrir pon poner envía enviar manda mandar busca buscar llama llamar compra comprar haz hacer dime decir quiero querer ver mira mirar mensaje foto vídeo video cuenta número teléfono día semana mes año tiempo hora vida hombre mujer niño casa cosa gente nuevo nueva grande pequeño bueno buena trabajo empresa"),
        (Words.Prefix, "no pre post anti auto semi multi co ex sub"),
    ];

    public const string Cues = """
        o mejor dicho
        mejor dicho
        no perdón
        perdón no
        o más bien
        quiero decir no
        """;

    public const string SingleCues = """
        perdón
        espera
        quiero decir
        no
        """;
}
