"""The server as the official Python clients see it."""
import asyncio
import base64
import unittest

import ollama
import openai

from program import PICTURE, program, serving

BAGEL = program()


class OfficialClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = serving(BAGEL)
        cls.server = cls.context.__enter__()
        cls.client = ollama.Client(host=cls.server.url)

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def test_generate(self):
        answer = self.client.generate(model="bagel-7b-mot", prompt="Describe this image.",
                                      images=[PICTURE], options={"num_predict": 5, "seed": 1})
        self.assertTrue(answer.done)
        self.assertGreater(answer.prompt_eval_count, 20)
        self.assertLessEqual(answer.eval_count, 5)
        self.assertGreater(answer.eval_duration, 0)
        self.assertIsInstance(answer.context[0], int)

    def test_generate_streamed(self):
        options = {"num_predict": 5, "seed": 1}
        pieces = list(self.client.generate(model="bagel-7b-mot", prompt="Hello", stream=True,
                                           options=options))
        self.assertTrue(pieces[-1].done)
        whole = self.client.generate(model="bagel-7b-mot", prompt="Hello", options=options)
        self.assertEqual("".join(piece.response for piece in pieces), whole.response)

    def test_a_stream_that_is_not_read_to_its_end(self):
        for _ in range(5):
            stream = self.client.generate(model="bagel-7b-mot", prompt="Hello", stream=True,
                                          options={"num_predict": 4000})
            next(stream)
            stream.close()
        answer = self.client.generate(model="bagel-7b-mot", prompt="Hello",
                                      options={"num_predict": 2})
        self.assertTrue(answer.done)

    def test_several_at_once(self):
        async def ask():
            client = ollama.AsyncClient(host=self.server.url)
            options = {"num_predict": 8, "seed": 5}
            return await asyncio.gather(*(
                client.generate(model="bagel-7b-mot", prompt="Hello", options=options)
                for _ in range(8)))
        answers = asyncio.run(ask())
        self.assertEqual(len(answers), 8)
        self.assertTrue(all(answer.done for answer in answers))

    def test_list(self):
        models = self.client.list().models
        self.assertIn("bagel-7b-mot:latest", [model.model for model in models])
        self.assertEqual(models[0].details.family, "bagel")

    def test_errors(self):
        with self.assertRaises(ollama.ResponseError) as caught:
            self.client.generate(model="llama3", prompt="x")
        self.assertEqual(caught.exception.status_code, 404)
        self.assertEqual(caught.exception.error, "model 'llama3' not found")

    def test_draws_and_edits(self):
        options = {"seed": 7, "cfg_text_scale": 2}
        answer = self.client.generate(model="bagel-7b-mot", prompt="A red apple", width=128,
                                      height=144, steps=3, options=options)
        picture = base64.b64decode(answer.image)
        self.assertEqual(picture[:4], b"\x89PNG")
        parts = list(self.client.generate(model="bagel-7b-mot", prompt="A red apple", width=128,
                                          height=144, steps=3, stream=True, options=options))
        self.assertEqual([(part.completed or 0, part.total) for part in parts[:-1]],
                         [(i, 3) for i in range(4)])
        self.assertEqual(parts[-1].image, answer.image)
        edited = self.client.generate(model="bagel-7b-mot", prompt="Blue", images=[picture],
                                      steps=2)
        self.assertNotEqual(edited.image, answer.image)

    def test_load(self):
        self.assertEqual(self.client.generate(model="bagel-7b-mot").done_reason, "load")


class OpenAiClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = serving(BAGEL)
        cls.server = cls.context.__enter__()
        cls.client = openai.OpenAI(base_url=cls.server.url + "/v1", api_key="x")

    @classmethod
    def tearDownClass(cls):
        cls.context.__exit__(None, None, None)

    def test_draws(self):
        answer = self.client.images.generate(model="bagel-7b-mot", prompt="A red apple", n=2,
                                             size="128x144", extra_body={"steps": 3, "seed": 5})
        self.assertEqual(len(answer.data), 2)
        self.assertEqual(base64.b64decode(answer.data[1].b64_json)[:4], b"\x89PNG")

    def test_streams(self):
        events = list(self.client.images.generate(prompt="x", size="128x128", stream=True,
                                                  partial_images=2, extra_body={"steps": 6}))
        self.assertEqual([event.type for event in events],
                         ["image_generation.partial_image"] * 2 + ["image_generation.completed"])
        self.assertEqual(base64.b64decode(events[-1].b64_json)[:4], b"\x89PNG")

    def test_edits(self):
        with open(PICTURE, "rb") as file:
            picture = file.read()
        for image in (picture, [picture, picture]):
            answer = self.client.images.edit(image=image, prompt="Blue", extra_body={"steps": 2})
            self.assertEqual(base64.b64decode(answer.data[0].b64_json)[:4], b"\x89PNG")

    def test_errors(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.images.generate(model="dall-e-3", prompt="x")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.images.generate(prompt="x", size="2048x2048")
        self.assertIn("2048x2048", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
