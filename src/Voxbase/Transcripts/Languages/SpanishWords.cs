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
        (Words.Ordinary, "principio medio lado parte razón modo manera asunto palabra palabras frase grupo nivel forma color tamaño altura largo ancho fuerza valor valores regla reglas derecho derechos deber tarea tareas objetivo proyecto proyectos intento éxito error errores causa efecto resultado resultados ventaja diferencia ejemplo tema punto puntos contrato coste costo precio precios venta mercado producto productos banco caja tarjeta crédito impuesto salario alquiler seguro suma cantidad fábrica comercio industria técnica aparato máquina sistema red programa datos dato ordenador computadora servidor impresora pantalla tecla llamada llamadas reunión cita encuentro visita invitado vacaciones maleta aeropuerto estación calle puente torre montaña río lago mar bosque campo campos árbol flor animal perro gato pájaro caballo pez cielo tierra aire fuego piedra madera metal vidrio papel tela aceite corriente presión carga cargas temperatura grado norte sur oeste izquierda derecha arriba abajo delante detrás dentro fuera centro borde cabeza ojo ojos oreja nariz boca cuello brazo pierna pie pies espalda piel sangre cuerpo alma mente pensamiento miedo alegría amor odio suerte deseo sueño esperanza guerra paz ley estado gobierno política partido elección pueblo ciudad iglesia dios persona personas señora muchacho muchacha chico chica bebé padres padre madre hermano hermana hijo hija tío tía vecino vecina edad muerte nacimiento enfermedad fiebre dolor medicina farmacia hospital médico paciente abogado juez policía accidente daño ladrón juicio otro otra otros otras mucho mucha muchos muchas poca pocos pocas bastante casi quizás realmente exactamente finalmente juntos solo sola solos primero después luego tarde noche madrugada pronto siempre veces menudo encima debajo cerca lejos entonces todavía mientras además embargo pensar pienso piensa creer creo cree saber sé sabe conocer conozco conoce poder necesitar necesito necesita volver vuelve quedar queda caer cae tener llevar lleva traer trae conducir construir crecer subir sube bajar baja cambiar cambia girar viajar nadar bailar cantar reír llorar cocinar lavar limpiar cortar corta romper rompe quemar ganar gana perder pierde ayudar ayuda agradecer preguntar pregunta responder respuesta respuestas hablar habla comprado vender vende entregar recibir recibe ofrecer ofrece faltar falta gustar gusta pertenecer parecer parece decidir decide explicar explica describir significar utilizar utiliza usar usa usado olvidar olvida recordar recuerda notar prometer prohibir permitir permite desear esperar espera entrar entra entrada salir sale salida partir regresar venir viene pasar pasa pasado dejar deja elegir elige seguir sigue vivir vive nacer morir servir sirve dormir duerme correr corre tirar empujar tocar toca sentir siente escuchar escucha oír oye levantar acostar cerrar cierra cerrado encontrar encuentra contar firmar generar genera generan general generales marca marcas marco marcos coma comas fuerte débil alto alta estrecho delgado grueso redondo plano liso duro blando dulce salado amargo fresco podrido limpio sucio claro clara oscuro rojo roja azul verde amarillo marrón gris blanco blanca negro negra rico pobre caro barato gratis enfermo sano cansado contento triste divertido serio malo mala amable inteligente tonto valiente honrado extranjero famoso verdad verdadero falso necesario posible fácil difícil simple importante primera segundo segunda último última próximo próxima mitad tercio cuarto varios varias acción acciones caso casos clase clases orden tipo tipos cual cuales mismo misma mismos mismas mejor peor mayor menor menos joven viejo vieja feliz libre lleno vacío junto algo alguien alguno alguna algunos algunas"),
        (Words.Known, "maría carmen ana isabel laura cristina marta lucía elena sofía paula sara julia rosa teresa pilar mercedes raquel silvia patricia beatriz antonio josé manuel francisco juan david javier daniel carlos jesús alejandro miguel rafael pedro pablo ángel sergio fernando jorge luis alberto álvaro diego andrés ramón enrique víctor mario roberto ricardo eduardo raúl simón martín madrid barcelona valencia sevilla zaragoza málaga bilbao alicante córdoba granada vigo murcia palma salamanca burgos lima bogotá quito caracas santiago buenos aires méxico españa francia alemania italia inglaterra portugal américa europa argentina colombia chile perú venezuela ecuador cuba china japón india"),
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
