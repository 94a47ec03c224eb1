// The emoji that people use in shops' chats, with what they are called: emoji | Portuguese | English.

const LIST = `
😀|rosto feliz, sorriso|grinning face, happy
😃|sorriso aberto, feliz|big smile, happy
😄|sorriso com olhos, feliz|smiling eyes, happy
😁|sorrindo com dentes|beaming, teeth
😆|gargalhada, rindo|laughing
😅|riso nervoso, suor|nervous laugh, sweat
😂|chorando de rir|tears of joy, laughing
🤣|rolando de rir|rolling laughing
🙂|leve sorriso|slight smile
😉|piscadinha|wink
😊|sorriso tímido, feliz|blush, smile
😇|anjo, santo|angel, halo
🥰|apaixonado, carinho|in love, hearts
😍|olhos de coração, amei|heart eyes, love it
🤩|olhos de estrela, uau|star eyes, wow
😘|beijo|kiss
😗|beijinho|kissing
😋|gostoso, delícia|yummy
😛|língua|tongue
😜|língua piscando, brincadeira|winking tongue, joking
🤗|abraço|hug
🤭|ops, mão na boca|oops, hand over mouth
🤫|silêncio, segredo|quiet, secret
🤔|pensando, dúvida|thinking, doubt
🤐|boca fechada|zipper mouth
😐|neutro|neutral
😏|malicioso|smirk
🙄|revirando os olhos|rolling eyes
😬|careta|grimace
😌|aliviado|relieved
😔|triste, pensativo|sad, pensive
😪|com sono|sleepy
😴|dormindo|sleeping
😷|máscara, doente|mask, ill
🤒|febre, doente|fever, ill
🤧|espirro, resfriado|sneeze, cold
🥳|festa, comemorando|party, celebrating
😎|óculos de sol, estiloso|sunglasses, cool
🤓|nerd, óculos|nerd, glasses
😕|confuso|confused
😟|preocupado|worried
🙁|triste|sad
😮|surpreso|surprised
😲|espantado|astonished
😳|envergonhado|flushed
🥺|por favor, carinha de pedinte|pleading, please
😢|chorando, triste|crying, sad
😭|chorando muito|sobbing
😱|susto, medo|screaming, fear
😓|cansado, suor|sweat, tired
😤|bufando|huffing
😡|raiva, bravo|angry
😠|zangado|cross, angry
🤯|cabeça explodindo|mind blown
👋|oi, tchau, acenar|wave, hello, goodbye
✋|mão, pare|hand, stop
👌|perfeito, ok|ok hand, perfect
✌️|paz, vitória|peace, victory
🤞|dedos cruzados, sorte|fingers crossed, luck
🤙|me liga, hang loose|call me
👈|à esquerda|left
👉|à direita|right
👆|acima|up
👇|abaixo|down
☝️|um, atenção|one, attention
👍|joinha, positivo, ok|thumbs up, yes, ok
👎|negativo, não|thumbs down, no
✊|punho, força|fist, strength
👊|soquinho|fist bump
👏|palmas, parabéns|clapping, congratulations
🙌|mãos para o alto, oba|raised hands, hooray
🙏|obrigado, por favor, rezar|thanks, please, pray
🤝|aperto de mão, combinado|handshake, deal
💪|força, músculo|strength, muscle
✍️|escrevendo|writing
👀|olhos, vendo|eyes, looking
👁️|olho|eye
👂|ouvido|ear
🧠|cérebro|brain
🦷|dente|tooth
👶|bebê|baby
👧|menina|girl
👦|menino|boy
👩|mulher|woman
👨|homem|man
👵|vovó, idosa|grandmother, old woman
👴|vovô, idoso|grandfather, old man
🧑‍⚕️|médico, saúde|doctor, health
👨‍👩‍👧|família|family
🤷|não sei, dar de ombros|shrug, do not know
🤦|mão no rosto|facepalm
❤️|coração vermelho, amor|red heart, love
🧡|coração laranja|orange heart
💛|coração amarelo|yellow heart
💚|coração verde|green heart
💙|coração azul|blue heart
💜|coração roxo|purple heart
🤍|coração branco|white heart
🖤|coração preto|black heart
💔|coração partido|broken heart
💕|dois corações|two hearts
💖|coração brilhante|sparkling heart
✨|brilho, novidade|sparkles, new
⭐|estrela|star
🌟|estrela brilhante|glowing star
🔥|fogo, promoção|fire, hot
💥|explosão|boom
💯|cem, nota dez|hundred
🎉|festa, parabéns|party, congratulations
🎊|confete|confetti
🎂|bolo, aniversário|cake, birthday
🎁|presente|gift
🎈|balão|balloon
🏆|troféu|trophy
🥇|medalha de ouro|gold medal
👓|óculos|glasses
🕶️|óculos escuros|dark glasses
👗|vestido|dress
👕|camiseta|t-shirt
👟|tênis|trainers, shoe
👠|salto alto|high heel
👜|bolsa|handbag
💍|anel, aliança|ring
💄|batom|lipstick
💅|esmalte, unha|nail polish
💇|corte de cabelo|haircut
🛍️|compras, sacola|shopping bags
🛒|carrinho de compras|shopping cart
📦|pacote, encomenda|package, parcel
🚚|entrega, caminhão|delivery, truck
🛵|motoboy, moto|scooter, delivery
🚗|carro|car
🚌|ônibus|bus
✈️|avião, viagem|plane, travel
🏠|casa|house
🏪|loja|shop
🏥|hospital, clínica|hospital, clinic
🏫|escola|school
📍|local, endereço|place, address
🗺️|mapa|map
💰|dinheiro|money
💵|notas, pagamento|cash, payment
💳|cartão|card
🧾|recibo, nota fiscal|receipt, invoice
🏷️|etiqueta, preço|price tag, label
📈|subindo, gráfico|rising chart
📉|caindo, gráfico|falling chart
📅|calendário, data|calendar, date
⏰|despertador, horário|alarm clock, time
⏳|ampulheta, espera|hourglass, waiting
🕐|relógio, hora|clock, hour
📞|telefone|telephone
📱|celular|mobile phone
💻|computador|computer
📷|câmera, foto|camera, photo
🎥|vídeo, filmadora|film camera, video
🎧|fone de ouvido|headphones
🔊|som, alto|loud, sound
📧|e-mail|e-mail
💬|mensagem, conversa|message, chat
📢|anúncio, aviso|announcement
📌|alfinete, importante|pin, important
📎|clipe, anexo|paper clip, attachment
📝|anotação, receita|note, memo
📄|documento|document
📚|livros|books
✏️|lápis|pencil
🔎|lupa, procurar|magnifier, search
🔑|chave|key
🔒|cadeado, seguro|lock, safe
🔧|conserto, ferramenta|repair, tool
💡|ideia, lâmpada|idea, light bulb
🔋|bateria|battery
💊|remédio|pill, medicine
💉|vacina, injeção|vaccine, injection
🩺|estetoscópio, consulta|stethoscope, appointment
☀️|sol|sun
🌙|lua, boa noite|moon, good night
⛅|nublado|cloudy
🌧️|chuva|rain
🌈|arco-íris|rainbow
❄️|frio, neve|cold, snow
🌹|rosa, flor|rose, flower
🌸|flor|blossom, flower
🌻|girassol|sunflower
🌱|muda, planta|plant
🍀|trevo, sorte|clover, luck
🐶|cachorro|dog
🐱|gato|cat
🦋|borboleta|butterfly
☕|café|coffee
🍵|chá|tea
🍞|pão|bread
🧀|queijo|cheese
🍕|pizza|pizza
🍔|hambúrguer|hamburger
🍟|batata frita|chips, fries
🍗|frango|chicken
🍝|macarrão|pasta
🥗|salada|salad
🍎|maçã|apple
🍓|morango|strawberry
🍫|chocolate|chocolate
🍰|fatia de bolo|slice of cake
🍦|sorvete|ice cream
🍺|cerveja|beer
🍷|vinho|wine
🥂|brinde|cheers, toast
⚽|futebol, bola|football, ball
🎵|música|music
✅|certo, feito, confirmado|check, done, confirmed
☑️|marcado|ticked box
✔️|visto, ok|tick, ok
❌|errado, não, cancelado|cross, no, cancelled
❗|atenção, exclamação|attention, exclamation
❓|pergunta, dúvida|question
⚠️|aviso, cuidado|warning, care
🚫|proibido|forbidden
🆕|novo|new
🆓|grátis|free
🔝|melhor, topo|top
➡️|seta para a direita|right arrow
⬅️|seta para a esquerda|left arrow
⬆️|seta para cima|up arrow
⬇️|seta para baixo|down arrow
🔄|de novo, trocar|again, exchange
1️⃣|um, primeiro|one, first
2️⃣|dois, segundo|two, second
3️⃣|três, terceiro|three, third
🟢|verde, disponível|green, available
🟡|amarelo|yellow
🔴|vermelho|red
🇧🇷|Brasil, bandeira|Brazil, flag
`;

export default LIST.trim().split('\n').map((row) => row.split('|'));
