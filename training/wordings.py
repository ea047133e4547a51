"""How people ask. One wording in five is held out from training; the first of each list never is."""
import hashlib

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


def is_held_out(kind, index):
    return index > 0 and hashlib.sha256(f"{kind}{index}".encode()).digest()[0] % 5 == 0


SEEN = {kind: [t for i, t in enumerate(texts) if not is_held_out(kind, i)] for kind, texts in W.items()}
UNSEEN = {kind: [t for i, t in enumerate(texts) if is_held_out(kind, i)] or texts[:1] for kind, texts in W.items()}


def pick(kind, rnd, unseen=False):
    """A wording of this kind; the exact first one comes up more often, since it is what programs send."""
    if unseen:
        return rnd.choice(UNSEEN[kind])
    if rnd.random() < 0.15:
        return W[kind][0]
    if kind == "describe" and rnd.random() < 0.2:
        return W[kind][1]
    return rnd.choice(SEEN[kind])
