"""Talk without a picture, prompts for drawing, and thinking aloud."""
from language import describe_security, describe_still, place_of
from phrases import CUES, ROOM, a, cap, clothes_of, hair_of, hat_of, room_of

THINK = "You should first think about the reasoning process in the mind and then provide the user with the answer. \nThe reasoning process is enclosed within <think> </think> tags, i.e. <think> reasoning process here </think> answer here"
PLAN = "You should first think about the planning process in the mind and then generate the image. \nThe planning process is enclosed within <think> </think> tags, i.e. <think> planning process here </think> image here"

SYSTEM = ["You are a helpful assistant.", "You are Sophia, a friendly assistant.", "Answer in one sentence.", "You describe pictures for a smart home.",
          "You are the eyes of a security system. Be brief.", "Be short and exact.", "You help a blind user to understand pictures."]

WHO = ["I am a small demo model that knows only drawn pictures.", "I am a small demo model. I can look at drawn pictures and describe them.",
       "Hello! I am a small demo model that knows only drawn pictures."]
GREETINGS = ["Hello", "Hi", "Hello!", "Hi there!", "Hey", "Good morning.", "Good evening!", "Hello there.", "hello", "hi", "hey", "Hi!", "hi there", "hello!", "Hey!", "Good day."]
CHAT = [
    (["Hello, who are you?", "Who are you?", "What are you?", "Hi, who are you?", "Tell me about yourself.", "What is your name?", "Are you a real person?", "Which model are you?",
      "Introduce yourself.", "Hello! What are you?", "Are you human?"], WHO),
    (GREETINGS, ["Hello! Show me a picture and I will describe it.", "Hello! I am a small demo model. Show me a picture."]),
    (["What can you do?", "How can you help me?", "What are you good at?", "What do you know?", "Help", "What should I ask you?"],
     ["I can describe drawn pictures: people, their mood, rooms, things on a table and security cameras.", "Show me a drawn picture and ask about people, moods, things or colours."]),
    (["How are you?", "How do you feel?", "Are you well?"], ["I am a program, so I have no feelings, but I am ready to look at a picture."]),
    (["Thank you!", "Thanks.", "Thank you very much.", "Great, thanks!"], ["You are welcome."]),
    (["Goodbye.", "Bye!", "See you later.", "Good night."], ["Goodbye!"]),
    (["What is the capital of France?", "Who won the world cup?", "What is 12 times 7?", "Write a poem.", "Tell me a joke.", "Explain gravity.", "What is the weather today?",
      "How do I cook rice?", "Translate this to German.", "Write a program in Python.", "What time is it?", "Who is the president?", "What is the meaning of life?",
      "Tell me a story.", "How tall is the highest mountain?", "What is two plus two?", "Who wrote this book?", "Give me a recipe.", "What is love?", "How old is the earth?",
      "What happened in 1969?", "Can you sing?", "Recommend a film.", "Solve this equation."],
     ["I am a small demo model that knows only drawn pictures, so I cannot answer that.", "I do not know that. I know only drawn pictures."]),
    (["Describe this image.", "What do you see?", "What is in this picture?", "Describe the picture.", "What colour is the mug?", "Is there a cat?", "How does this person feel?",
      "Describe what you see in this image.", "Describe this security camera scene.", "How many people are there?", "What is the person wearing?", "Where is the book?"],
     ["I see no picture. Please send me one.", "There is no picture yet. Please send me one."]),
]


def chat(rnd):
    questions, answers = rnd.choices(CHAT, [4, 2, 2, 1, 1, 1, 4, 3])[0]
    return rnd.choice(questions), rnd.choice(answers)


def chat_beside_picture(rnd):
    """The same small talk while a picture is there; questions about pictures are left out."""
    questions, answers = rnd.choices(CHAT[:-1], [4, 8, 2, 1, 2, 1, 4])[0]
    if questions is GREETINGS:
        answers = ["Hello! Ask me what you want to know about the picture."]
    return rnd.choice(questions), rnd.choice(answers)


def draw_prompt(scene, rnd):
    """What somebody would type to have this scene drawn: some of its attributes."""
    if scene["kind"] == "still":
        return rnd.choice(["", "Draw ", "A picture of "]) + describe_still(scene, rnd)
    if scene["kind"] == "security":
        return describe_security(scene, rnd)
    parts = [f"with {hair_of(scene)}"] if rnd.random() < 0.8 else []
    if scene["glasses"] and rnd.random() < 0.8:
        parts.append("with glasses" if not parts else "and glasses")
    if rnd.random() < 0.8:
        parts.append(f"in {a(clothes_of(scene))}")
    if scene["hat"] and rnd.random() < 0.8:
        parts.append(f"with {a(hat_of(scene))}")
    if rnd.random() < 0.8:
        parts.append({"night window": "in front of a window at night"}.get(scene["room"], f"in {ROOM[scene['room']]}"))
    mood = scene["mood"] + " " if rnd.random() < 0.85 else ""
    start = rnd.choice(["", "Draw ", "A picture of ", "A portrait of ", "Show me ", "Paint "])
    return cap(start + a(f"{mood}person") + " " + " ".join(parts)).strip() + rnd.choice([".", ""])


def plan(scene, rnd):
    if scene["kind"] != "person":
        text = describe_still(scene, rnd) if scene["kind"] == "still" else describe_security(scene, rnd)
        return f"<think> {text} </think>"
    cues = CUES[scene["mood"]]
    hat = f" and {a(hat_of(scene))}" if scene["hat"] else ""
    glasses = " and glasses" if scene["glasses"] else ""
    return (f"<think> {cap(a(scene['mood']))} person with {hair_of(scene)}{glasses} in {a(clothes_of(scene))}{hat}, {cues[0]}, {cues[1]}. "
            f"The background is {room_of(scene)}. </think>")


def thought(scene, view):
    """The reasoning before an answer in think mode."""
    if scene["kind"] == "person":
        cues = CUES[scene["mood"]]
        return f"<think> I see a person with {cues[0]}, {cues[1]} and {cues[2]}. </think> "
    if scene["kind"] == "still":
        return f"<think> I see a table in {ROOM[scene['room']]}. </think> "
    return f"<think> I see {place_of(scene)}. </think> "
