"""How people ask. One wording in five is held out from training; the first of each list never is."""
import hashlib
import re

W = {}
W["describe"] = ["Describe this image.", "Describe what you see in this image.", "What do you see?", "What is in this picture?",
    "Describe the picture.", "What does this image show?", "Tell me what you see.", "Give a short description of this image.",
    "Can you describe this photo?", "What is shown here?", "What's going on in this picture?", "Please describe the image in a sentence.",
    "Look at this picture and tell me what is in it.", "Describe the scene.", "What can you see in this photo?", "Summarise this image.",
    "Write a caption for this picture.", "Briefly describe what is visible."]
W["mood"] = ["Analyze this person's facial expression and emotional state. Consider: eye openness, mouth shape, eyebrow position, forehead tension, jaw clenching, eye contact direction. Give the PRIMARY emotion and a BRIEF explanation. One sentence. Example: 'Relaxed - soft eyes, slight smile, loose jaw.'",
    "Analyze this person's facial expression. Give the PRIMARY emotion and a BRIEF explanation. One sentence. Example: 'Relaxed - soft eyes, slight smile, loose jaw.'",
    "What emotion does this face show? Answer with the emotion and a short reason, like 'Relaxed - soft eyes, slight smile, loose jaw.'",
    "Look at the eyes, the brows and the mouth. Give the primary emotion and why, in one sentence.",
    "Name the main emotion of this person and explain it briefly.", "Read this face: primary emotion and brief explanation.",
    "Analyse the facial expression and emotional state of this person. One sentence.", "State the mood and the signs for it.",
    "Give the person's emotion first, then the reason in a few words.", "Primary emotion and brief explanation, please.",
    "Judge the emotional state from eye openness, mouth shape and eyebrow position. One sentence.",
    "Which emotion can you read from this face, and from which signs?"]
W["mood_word"] = ["How does this person feel?", "What mood is the person in?", "What is the emotion of this person?", "How is the person feeling?",
    "What mood do you see?", "What emotion is on this face?", "Does the person look happy, sad, angry, surprised, relaxed, tired or neutral?",
    "In one word, what is the mood?", "Which expression does the person have?", "Tell me the mood of this person.", "How do they look: what is their mood?",
    "What feeling does the face express?"]
W["detail"] = ["Describe this person: appearance, clothing, expression, emotion, body language, environment.",
    "Describe this person in detail.", "Describe the person: appearance, clothing, expression, emotion, body language and environment.",
    "Describe the person you see. Include appearance, clothing, facial expression, emotion, body language and surroundings.",
    "Give a detailed description of the person and the surroundings.", "Tell me everything about this person: looks, clothes, face, mood, posture, place.",
    "Please describe the person in the picture in detail: appearance, clothing, expression, body language, environment.",
    "Who is in front of the camera? Describe appearance, clothing, emotion, posture and background.",
    "Describe in detail how this person looks, what they wear, how they feel and where they are.",
    "What does the person look like? Appearance, clothing, expression, emotion, body language, environment.",
    "Write a detailed report about the person in view."]
W["hair"] = ["What colour is the person's hair?", "What color is the hair?", "Which hair colour does the person have?", "Describe the person's hair.",
    "What kind of hair does the person have?", "What is the hair like?", "Tell me the hair colour.", "How would you describe their hair?", "Is the hair long or short, and what colour is it?"]
W["glasses"] = ["Does the person wear glasses?", "Is the person wearing glasses?", "Are there glasses on the face?", "Do you see glasses?",
    "Is this person wearing spectacles?", "Glasses or no glasses?", "Does this person have glasses on?", "Can you see glasses on this person?"]
W["hat"] = ["Does the person wear a hat?", "Is the person wearing a hat?", "What is on the person's head?", "What kind of hat is it?",
    "Is there a hat, and which?", "Does this person have a hat on?", "Do you see any headwear?", "What hat does the person wear?"]
W["clothes"] = ["What is the person wearing?", "What clothes does the person wear?", "Describe the clothing.", "What does the person have on?",
    "Which clothes can you see?", "Tell me what they are wearing.", "How is the person dressed?", "What is this person dressed in?"]
W["clothes_colour"] = ["What colour is the person's clothing?", "What color is the {garment}?", "What colour is the {garment}?", "Which colour does the {garment} have?",
    "What colour are the clothes?", "Tell me the colour of the {garment}.", "In which colour is the person dressed?", "What is the color of the person's clothes?"]
W["skin"] = ["What skin tone does the person have?", "Is the skin light, tan or dark?", "Describe the skin tone.", "What is the person's complexion?"]
W["posture"] = ["What is the person's posture?", "Describe the body language.", "How is the person sitting?", "What is the person doing?",
    "What does the body language say?", "What pose is the person in?", "Describe the posture.", "How does the person hold themselves?"]
W["eyes"] = ["What do the eyes look like?", "Describe the eyes.", "Are the eyes open or closed?"]
W["mouth"] = ["What does the mouth look like?", "Describe the mouth.", "Is the person smiling?"]
W["brows"] = ["What do the eyebrows look like?", "Describe the eyebrows.", "Where are the eyebrows?"]
W["room"] = ["Where is this?", "What is the background?", "What is in the background?", "Where is the person?", "What kind of place is this?",
    "Which room is this?", "Describe the environment.", "What is the setting?", "Describe the background.", "Where was this picture taken?", "What surroundings do you see?"]
W["list"] = ["What objects do you see?", "Which things are in the picture?", "List the objects.", "Name the things you can see.",
    "What things are there?", "Tell me which objects are visible.", "What items are in this picture?", "Which objects can you find here?"]
W["arrange"] = ["Where do the things stand?", "How are the objects arranged?", "Describe where the objects are.", "What is where?",
    "Describe the positions of the things.", "Tell me the layout of the objects from left to right.", "Which thing is on the left and which on the right?"]
W["where"] = ["Where is the {x}?", "Where does the {x} stand?", "On which side is the {x}?", "Is the {x} on the left or on the right?",
    "Tell me where the {x} is.", "What is the position of the {x}?", "In which part of the picture is the {x}?", "Can you find the {x}?"]
W["side_of"] = ["What is to the {side} of the {y}?", "What stands {side} of the {y}?", "Which thing is on the {side} side of the {y}?", "What do you see to the {side} of the {y}?",
    "Name the thing to the {side} of the {y}."]
W["relation"] = ["Is the {x} to the left or to the right of the {y}?", "Where is the {x}, seen from the {y}?", "On which side of the {y} is the {x}?",
    "Is the {x} left or right of the {y}?", "Where is the {x} relative to the {y}?"]
W["behind"] = ["What is behind the {y}?", "What stands behind the {y}?", "Which thing is behind the {y}?", "What do you see behind the {y}?", "Name what is behind the {y}."]
W["above"] = ["What hangs on the wall?", "What is above the table?", "What do you see on the wall?", "Which thing hangs above?", "What is hanging on the wall?"]
W["count"] = ["How many {xs} are there?", "How many {xs} do you see?", "Count the {xs}.", "What is the number of {xs}?", "How many {xs} can you count?",
    "How many {xs} are in the picture?", "Tell me how many {xs} there are."]
W["count_people"] = ["How many people are there?", "How many people do you see?", "How many persons are in the picture?", "Count the people.", "Is anybody there?",
    "Is there anyone in this picture?", "Do you see a person?", "Is a person visible?", "How many people are in view?"]
W["exist"] = ["Is there {ax}?", "Do you see {ax}?", "Is there {ax} in the picture?", "Can you see {ax}?", "Is {ax} visible?", "Does the picture show {ax}?",
    "Are there any {xs}?", "Is there {ax} in this image?", "Do you see any {xs}?", "Can {ax} be seen here?", "Is {ax} in view?", "Are any {xs} visible here?"]
W["colour"] = ["What colour is the {x}?", "What color is the {x}?", "Which colour does the {x} have?", "Tell me the colour of the {x}.", "What is the colour of the {x}?",
    "In what color is the {x}?", "The {x}: what colour is it?"]
W["security"] = ["Describe this security camera scene.", "What does the security camera show?", "Describe what the camera sees.", "Report what is happening on this camera.",
    "Security report: what do you see?", "Is anything happening on this camera? Describe it.", "Describe this security camera image.",
    "What is on the surveillance camera?", "Describe the security footage.", "Tell me what happens in front of the camera.", "Give a short report of this camera picture."]
W["time"] = ["Is it day or night?", "What time of day is it?", "Is it dark outside?", "Was this taken at night?", "Day or night?"]


# More of them, with alternatives in round brackets: one template is one wording for the purpose of holding out.
MORE = {
"describe": ["(Please|) describe (this|the) $P.", "(Please|) describe (this|the) $P in (a|one) (sentence|line|few words).", "(Please|Can you|Could you) (tell|show) me what is (in|on) (this|the) $P(?|.)",
    "What (is|can be) (seen|shown|visible) (here|in this $P|on the $P)?", "What do you (see|notice|spot) (here|in this $P|in the $P|)?", "(Give|Write) a (short|brief) (description|summary|caption) (of|for) (this|the) $P.",
    "(Briefly|Shortly) (describe|summarise|summarize) (this|the) $P.", "(Look|Have a look) at (this|the) $P (and|, then) describe it.", "What is (going on|happening) (here|in this $P|in the $P)?",
    "Tell me (about this $P|what you see|what is in the $P|what this $P shows).", "(This|The) $P: what does it show?", "(Caption|Summarise|Explain) (this|the) $P.", "(Can|Could) you describe (what you see|the $P|this $P)( please|)?",
    "What does (this|the) $P (show|contain)?", "What am I looking at?", "(Say|Explain) what (you see|is visible|the $P shows).", "I cannot see the $P. (Please describe it|What is in it?|What does it show?)", "(Description|Summary|Caption), please."],
"mood": ["(Analyze|Analyse|Judge|Read|Examine|Assess) (this|the) (person's|) (face|facial expression|expression)(.| and give the primary emotion.| and explain briefly.)", "(Analyze|Analyse|Describe|Assess) the (mood|emotion|emotional state) (of this person|of the person|) (in one sentence|briefly|with a short reason).",
    "(Give|State|Name) the (PRIMARY|primary|main|dominant) (emotion|mood) and (a BRIEF explanation|a brief explanation|a short reason|the signs for it|why).", "(What|Which) (emotion|mood) (does this face show|do you read|can you see) (and why|and from which signs|, with the reason)?",
    "(Consider|Look at) (the eyes, the mouth and the brows|eye openness, mouth shape and eyebrow position|forehead, jaw and eyes). (What is the emotion|Give the primary emotion|Name the mood)( and explain|)(.|?) One sentence.", "(Emotion|Mood|Primary emotion) and (brief explanation|short reason|signs)(.|, please.)",
    "How does (this|the) person feel, and (why|how can you tell|what shows it)?", "(One sentence|In one sentence): (the emotion|the mood|the primary emotion) and (the signs|why|a brief explanation).", "(Tell|Explain to) me (the|this person's) (mood|emotion) and (the signs|the reason|why you think so)."],
"mood_word": ["How (does|might) (this|the) (person|face) (feel|look)?", "(What|Which) (mood|emotion|feeling) (is it|do you see|does the face show|does the person show|is on this face)?", "(What|Which) is the (mood|emotion|feeling) (of this person|of the person|here)?", "How is (this|the) person (feeling|doing)?",
    "(Name|Tell me|Say) the (mood|emotion|feeling)(.| in one word.| of this person.)", "Is the person (happy, sad, angry, surprised, relaxed, tired or neutral|happy or sad|in a happy mood)?", "(In one word|One word): (the mood|the emotion|how does the person feel)?", "(What|Which) (expression|facial expression) (do you see|is it|does the person have|does the face express|is on the face)?", "(Mood|Emotion)?", "What (mood|emotion) is (the|this) person in?"],
"detail": ["(Please|) describe (this|the) person in (detail|full detail).", "(Please|) describe (this|the) person: (appearance, clothing, expression, emotion, body language, environment|looks, clothes, face, mood, posture and place|appearance, clothing, mood and surroundings).",
    "(Give|Write) (a|me a) (detailed|full|complete) (description|report) of (the|this) person(.| and the surroundings.| and the place.)", "Tell me everything (about|you see of) (this|the) person( and the surroundings| and the environment|).", "(What|How) does (this|the) person look( like|), what (do they wear|are they wearing), how do they feel and where are they?",
    "(Describe|Report) (appearance, clothing, expression, emotion, body language and environment|looks, clothes, mood, posture and background) of (the|this) person.", "Who (do you see|is in front of the camera|is this)? (Describe|Give) (the person in detail|appearance, clothing, emotion, posture and background).", "(A|Give a) (detailed|full) description (of the person, |)(with appearance, clothing, expression, emotion, body language, environment|please).",
    "(Describe|Report on) the person in (view|front of the camera|the $P) in detail(.|: looks, clothes, face, mood, posture, place.)", "(Appearance, clothing, expression, emotion, body language, environment|Appearance, clothes, mood, posture, place) of (this|the) person(?|.)", "(Please|) give (all|the) details (about|of) (this|the) person(.| and the surroundings.)", "(Everything|Tell me all) about (this|the) person: (looks, clothes, face, mood, posture, place|appearance, clothing and environment)."],
"hair": ["(What|Which) (colour|color) is (the|this person's|the person's|their) hair?", "(What|Which) (colour|color) (of hair|hair) does (the|this) person have?", "(Describe|Tell me about) (the|their|this person's) (hair|hairstyle|hair colour).", "(What is the hair like|How does the hair look|How is their hair)?", "(Tell|Give) me the (colour|color) of the hair.", "(Hair colour|Hair color|Hair)?", "What kind of (hair|hairstyle) (is it|does this person have|do you see)?", "How would you describe the (hair|hairstyle)?", "In which colour do you see the hair, and of what kind is it?"],
"glasses": ["(Does|Do) (the|this) person (wear|have) (glasses|spectacles|eyeglasses)?", "Is (the|this) person wearing (glasses|spectacles|eyeglasses)?", "Are there (any|) (glasses|spectacles|eyeglasses) (on the face|on this person|)?", "(Do|Can) you see (glasses|spectacles|any glasses|eyeglasses)( on the face| on this person|)?", "(Glasses|Spectacles|Eyeglasses)?", "(Tell me if|Say whether) the person (wears|has) (glasses|spectacles).", "(With|Is it with) or without (glasses|spectacles)?", "Does this (face|person) have (glasses|spectacles) on?", "(What about|And) (the glasses|spectacles|glasses)?"],
"hat": ["(Does|Do) (the|this) person (wear|have) (a|any) (hat|headwear|cap or hat)( on|)?", "Is (the|this) person wearing (a hat|any hat|headwear|something on the head)?", "(What|Which|What kind of) (hat|headwear) (is it|do you see|does the person have)?", "(What is|Is anything|Is there anything) on (the|this person's) head?", "(Do|Can) you see (a hat|any hat|any headwear|headwear)?", "(Describe|Tell me about) the (hat|headwear).", "Is there (a hat|any headwear|any hat)(, and which| in the $P|)?"],
"clothes": ["What (is|does) (the|this) person (wearing|wear|have on)?", "What (clothes|clothing|garments) (do you see|does the person wear|is it|are they wearing|can you see)?", "(Describe|Tell me about) (the|this person's|their) (clothes|clothing|outfit).", "How is (the|this) person (dressed|clothed)?", "(What|Which) (outfit|clothes|clothing) does (the|this) person (have|wear)?", "(Clothing|Clothes|Outfit)?", "(Say|Tell me) what (the person wears|they wear|they have on|they are wearing).", "What is (this|the) person (dressed|clothed) in?"],
"clothes_colour": ["(What|Which) (colour|color) (is|has) the ({garment}|clothing|outfit)?", "(What|Which) (colour|color) are the (clothes|garments)?", "(What|Which) (colour|color) (is|does) (the person|this person) (wearing|wear)?", "(Tell|Give) me the (colour|color) of the ({garment}|clothes|clothing).", "(What|Which) is the (colour|color) of the ({garment}|clothes|clothing|person's clothes)?", "The ({garment}|clothes): (what|which) (colour|color)?", "In (what|which) (colour|color) is (the person|this person) dressed?"],
"skin": ["(What|Which) (skin tone|complexion|skin) (is it|do you see|does this person have)?", "(Describe|Tell me) the (skin|skin tone|complexion)."],
"posture": ["(What|Which) (posture|pose) (is it|do you see|does the person have|is the person in)?", "(Describe|Tell me about) (the|this person's|their) (posture|pose|body language).", "What (is|does) (the|this) person (doing|do)?", "How does (the|this) person (sit|hold themselves|stand)?", "How is (the|this) person (sitting|standing|posing)?", "(What|Which) (body language|posture) (does the person show|can you see|do you see)?", "(Body language|Posture|Pose)?", "What does the (body language|posture) (say|tell you|show)?"],
"eyes": ["How do the eyes look?", "(Tell me about|What about) the eyes(.|?)", "Are the eyes (open|closed|wide open|half closed)?"],
"mouth": ["How does the mouth look?", "(Tell me about|What about) the mouth(.|?)", "Is (this|the) person smiling?"],
"brows": ["How do the (eyebrows|brows) look?", "(Describe the brows|The brows|The eyebrows).", "(Tell me about|What about) the (eyebrows|brows)(.|?)", "(Describe|Where are) the (brows|eyebrows)(.|?)"],
"room": ["Where (is|was) this ($P |)taken?", "(What|Which) (kind|sort|type) of (place|room|setting) is (this|it|shown)?", "(What|Which) (place|room|setting) (is this|is it|do you see|is shown)?", "(Describe|Tell me about) the (background|environment|setting|surroundings|place|room).", "What is (in|) the (background|setting|environment)?", "What (does the background show|do you see in the background|can you see behind)?", "(Background|Setting|Place|Room|Environment)?", "(Where|In which room|In what place) (are we|is it|is this)?", "(Say|Tell me) where (this is|this was taken|we are).", "In (what|which) (kind of |)(place|room|surroundings) (is this|was this $P taken)?", "What are the surroundings( like|)?"],
"list": ["(What|Which) (objects|things|items) (are there|do you see|can you see|are visible|are in this $P|are on the table)?", "(List|Name|Tell me) (all|the|) (objects|things|items)( in this $P| you see| you can see|).", "(Objects|Things|Items)?", "(Give|Make) (a|me a) list of the (objects|things|items).", "(What|Which) (objects|things|items) can (you find|be seen|you name)( here|)?", "Name all (objects|things|items) to be seen (here|in this $P).", "(All|The) (objects|things|items) in this $P, please."],
"arrange": ["(How|Where) (are|do) the (objects|things|items) (arranged|placed|stand|are)?", "(Describe|Explain|Tell me) (the|) (layout|positions) of the (objects|things|items)( from left to right|).", "(What|Which thing|Which object|Which) is (on the left and what|on the left and which) (is |)on the right?", "(What|Tell me what) is where( in this $P|)?", "(Describe|Say|Tell me) where (the objects|the things|the items|things) (are|stand).", "From left to right(: what do you see|, what is there|, which things are there)?", "How are (things|the things|the objects) (placed|laid out|arranged)?", "(What|Which thing|Which object) stands on the left and (what|which) on the right?", "Name the (thing|object) on the left and the (thing|object) on the right.", "(Say|Explain) (where each thing is|where each object stands|which thing is on which side)."],
"where": ["Where (is|can I find|do you see|stands) the {x}?", "(On|To) (which|what) side (is|stands) the {x}?", "(What is|Tell me|Give me) the (position|place|location) of the {x}(?|.)", "Is the {x} (left or right|on the left or the right|to the left or to the right)?", "(Tell|Show) me where the {x} (is|stands).", "(In|On) (which|what) (part|side) of the $P is the {x}?", "(Find|Locate) the {x}.", "(The {x}: where is it|Where in the $P is the {x})?", "Can you (find|locate) the {x}?", "The {x} is on (which|what) side( of the $P|)?", "(Say|Tell me) on which side the {x} (is|stands)."],
"side_of": ["(What|Which thing|Which object) (is|stands) (to the|on the) {side} (of|side of) the {y}?", "(What|Which thing) (is|stands|do you see) {side} of the {y}?", "(Name|Tell me) (what is|the thing|the object) (to the|on the) {side} (of|side of) the {y}."],
"on_side": ["What is on the {side}?", "(What|Which thing|Which object) (is|stands|do you see) on the {side}( side|)( of the $P|)?", "(Tell me|Say) what is on the {side}( side|)(.| of the $P.)", "What can you see on the {side}?", "On the {side}: what is there?"],
"relation": ["Is the {x} (left or right|to the left or right|on the left or the right side) of the {y}?", "Where is the {x}( |, )(relative to|seen from|compared with) the {y}?", "(On|To) which side of the {y} (is|stands) the {x}?", "Is the {x} to the (left|right) of the {y}( or to the other side|, or on the other side)?", "The {x} stands on which side of the {y}?"],
"behind": ["(What|Which thing|Which object) (is|stands|do you see) behind the {y}?", "(Name|Tell me) (what is|the thing|the object) behind the {y}.", "Behind the {y}(: what is there|, what do you see)?", "(Tell me|Say) what stands behind the {y}."],
"above": ["(What|Which thing) (hangs|is|is hanging) (on the wall|above the table|above)?", "(Is there anything|Do you see anything|Does anything hang) (on the wall|above the table)?", "What (can you see|do you see|is there) (on the wall|above the table)?"],
"count": ["How many {xs} (are there|do you see|can you see|can you count|are in this $P|are visible|are on the table)?", "(Count|Please count) the {xs}.", "(Tell|Give) me (how many {xs} there are|how many {xs} you see|the number of {xs}).", "(What is the number|What number) of {xs}( do you see|)?", "(Number|Count) of {xs}?", "(Say|Tell me) how many {xs} (are in the $P|are there|you can count).", "How many {xs} (can be seen|are visible|stand) (here|in this $P|on the table)?", "Say the (number|count) of {xs}(.| in this $P.)"],
"count_people": ["How many (people|persons) (are there|do you see|can you see|are visible|are in the $P|are in view)?", "Is (anyone|anybody|someone|a person) (there|here|in this $P|visible|in view|to be seen)?", "(Do|Can) you see (anyone|anybody|a person|someone|people|any people)( here| in this $P|)?", "(Count|Please count) the (people|persons).", "Is there (anyone|anybody|someone|a person) (here|there|in this $P|in the $P|in view)?", "Are there (any|) (people|persons) (here|in this $P|)?", "(Tell me|Say) how many (people|persons) (there are|you see)."],
"exist": ["Is there {ax} (here|in this $P|in the $P|to be seen|visible|)?", "(Do|Can) you (see|find|spot|notice) {ax}( here| in this $P| anywhere|)?", "Are there (any|) {xs} (here|in this $P|visible|)?", "(Does|Did) (this|the) $P (show|contain|have) {ax}?", "Is {ax} (there|here|visible|shown|in this $P|in view|to be seen)?", "Can {ax} be (seen|found)( here| in this $P|)?", "(Tell me if|Say whether) there is {ax}.", "(Do|Can) you (see|find|spot) any {xs}( here| in this $P|)?", "Are (any|) {xs} (visible|shown|in view)?", "(Any|Are there) {xs}( here|)?", "Does (this|the) $P (show|contain) any {xs}?"],
"colour": ["(What|Which) (colour|color) (is|has) the {x}?", "(What|Which) is the (colour|color) of the {x}?", "(Tell|Give) me the (colour|color) of the {x}.", "(What|Which) (colour|color) does the {x} have?", "The {x}: (what|which) (colour|color)?", "(Colour|Color) of the {x}?", "(Say|Name) the (colour|color) of the {x}.", "(In|Of) (what|which) (colour|color) is the {x}?"],
"security": ["(Describe|Report|Summarise) (this|the) (security|surveillance) (camera |)(scene|image|picture|footage|frame|view).", "What (does|do) (the|this|) (security|surveillance|) camera (show|see)?", "What is (on|happening on|shown on) (the|this) (security |surveillance |)(camera|footage)?", "(Describe|Tell me|Report) what (the|this) (security |)camera (sees|shows).", "(Security|Surveillance|Camera) report(.|:|, please.)( What do you see?|)", "(Give|Write) (a|me a) (short|brief|) report (of|on) (this|the) (camera|security|surveillance) (picture|image|scene|footage).", "Is (anything|something) (happening|going on) (here|on this camera|in front of the camera)? (Describe|Report) it.", "(Tell me|Say|Describe) what (happens|is happening|goes on) in front of the camera.", "What can be seen on the (security|surveillance) (camera|footage)?", "(Please|) (give|write) a (short|brief) security report.", "(Security|Surveillance) camera: what (is happening|do you see)?"],
"time": ["Is it (day or night|night or day|daytime or night) (here|in this $P|)?", "(Was|Is) this (taken|recorded) (at night|in the dark)?", "(What|Which) time of day is (it|this|shown)?", "Is it (dark|night)( outside| here|)?", "(Tell me if|Say whether) it is day or night.", "Which is shown, day or night?"],
}
# A word or two in place of a sentence. All of these are for training, and none says what a held-out wording says.
SHORT = {
"describe": ["(Description|Caption|Summary|The scene)?"],
"mood_word": ["(Mood|Emotion|Expression|Facial expression|Feeling)?", "(The|Their) (mood|emotion|expression)?", "(And|What about) the (mood|expression)?", "(Mood|Emotion|Expression) of the (person|face)?"],
"hair": ["(The|Their|And the) hair?", "Hair (length|style|cut)?", "(Hairstyle|Haircut)?", "(Colour|Color) of (the|their) hair?", "What about (the|their) hair?", "(Length|Kind|Length and colour) of the hair?", "Hair length and (colour|color)?"],
"glasses": ["(Glasses|Spectacles|Eyeglasses)?", "(Any|Wears|Wearing|With) (glasses|spectacles)?"],
"hat": ["(Hat|Headwear|Cap or hat)?", "A hat?", "(Any|The|Their) (hat|headwear)?", "(Hat|Headwear) (colour|color|kind)?", "(And|What about) the hat?", "(Colour|Color|Kind) of the hat?"],
"clothes": ["(Clothes|Clothing|Outfit|Garment)?", "(The|Their) (clothes|clothing|outfit)?", "(And|What about) the (clothes|clothing|outfit)?", "Kind of clothes?"],
"clothes_colour": ["(Clothing|Clothes|Garment|Outfit) (colour|color)?", "{garment} (colour|color)?", "(Colour|Color) of the ({garment}|clothes|clothing|outfit)?", "The {garment}'s (colour|color)?"],
"skin": ["(Skin|Skin tone|Complexion)?", "(The|Their) (skin|complexion)?", "Skin (colour|color)?", "(Colour|Color|Tone) of the skin?"],
"posture": ["(Posture|Pose|Body language)?", "(The|Their) (posture|pose|body language)?", "(And|What about) the (posture|pose)?"],
"eyes": ["(Eyes|The eyes|Their eyes|And the eyes)?"],
"mouth": ["(Mouth|Lips|The mouth|Their mouth|And the mouth)?"],
"brows": ["(Eyebrows|Brows|The brows|Their eyebrows|And the brows)?"],
"room": ["(Background|Setting|Place|Room|Surroundings|Location)?", "(The|And the) (background|place|room|setting)?", "What about the (background|surroundings)?", "Kind of (room|place)?", "Where?"],
"list": ["(Objects|Things|Items|Object list)?", "(The|All|Which|And the) (objects|things|items)?"],
"arrange": ["(Layout|Arrangement|Positions|Order)?", "(Layout|Arrangement|Order) of the (objects|things)?"],
"where": ["(The {x}|{x}): where?", "(Position|Place|Location|Side) of the {x}?", "Where, the {x}?", "Where's the {x}?", "{x} (position|location)?", "The {x}, left or right?"],
"side_of": ["To the {side} of the {y}?", "{side} of the {y}: what?"],
"on_side": ["(On the|The) {side}( side|)?", "{side} side?"],
"behind": ["Behind the {y}?", "And behind the {y}?"],
"above": ["(On the wall|The wall|Above the table)?"],
"count": ["(How many {xs}|{xs}: how many)?", "{xs} count?", "The number of {xs}?"],
"count_people": ["(People|Anyone|Anybody|Somebody|Anybody there)?", "(How many people|People count)?"],
"exist": ["{ax}?", "Any {xs}?", "{ax} (here|there|anywhere)?"],
"colour": ["(The |){x} (colour|color)?", "{x}: (colour|color)?", "The (colour|color) of the {x}?", "The {x}'s (colour|color)?"],
"security": ["(Status|What's happening|Anything happening|Security summary|The camera)?"],
"time": ["(Time of day|The time of day|Daytime or night)?"],
}
PICTURE = ["picture", "image", "photo", "frame", "scene"]
for _kind, _texts in MORE.items():
    W.setdefault(_kind, []).extend(_texts)


def spoken(text, rnd):
    """One of the sentences that a template stands for."""
    text = re.sub(r"\(([^()]*)\)", lambda m: rnd.choice(m[1].split("|")), text.replace("$P", rnd.choice(PICTURE)))
    text = re.sub(r" +", " ", text).strip().replace(" ?", "?").replace(" .", ".").replace(" ,", ",")
    return text[0].upper() + text[1:] if text[0] != "{" else text


def casual(text, rnd):
    """As people type: now and then without capitals or the final mark, or with a please."""
    chance = rnd.random()
    if chance < 0.05:
        return text.lower()
    if chance < 0.10:
        return text.rstrip("?.")
    if chance < 0.13:
        return "Please answer: " + text
    if chance < 0.16:
        return text.rstrip(".") + ", please." if text.endswith(".") else text + " Please answer."
    if chance < 0.19:
        return "Hello! " + text
    if chance < 0.22:
        return text + rnd.choice([" Answer briefly.", " Be short.", " Thank you."])
    return text


def shortened(kind, rnd):
    """A short form, with whatever mark people put behind it."""
    text, chance = spoken(rnd.choice(SHORT[kind]), rnd), rnd.random()
    if chance < 0.08:
        return text[:-1] + ":"
    if chance < 0.18:
        return text.lower()
    if chance < 0.28:
        return text[:-1].lower()
    return casual(text, rnd)


def is_held_out(kind, index):
    return index > 0 and hashlib.sha256(f"{kind}{index}".encode()).digest()[0] % 5 == 0


SEEN = {kind: [t for i, t in enumerate(texts) if not is_held_out(kind, i)] for kind, texts in W.items()}
UNSEEN = {kind: [t for i, t in enumerate(texts) if is_held_out(kind, i)] or texts[:1] for kind, texts in W.items()}


def pick(kind, rnd, unseen=False):
    """A wording of this kind; the exact first one comes up more often, since it is what programs send."""
    if unseen:
        return spoken(rnd.choice(UNSEEN[kind]), rnd)
    if rnd.random() < 0.12:
        return W[kind][0]
    if kind == "describe" and rnd.random() < 0.15:
        return W[kind][1]
    if kind in SHORT and rnd.random() < 0.2:
        return shortened(kind, rnd)
    return casual(spoken(rnd.choice(SEEN[kind]), rnd), rnd)
