"""The server as the official Python client sees it."""
import asyncio
import unittest

import ollama

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

    def test_load(self):
        self.assertEqual(self.client.generate(model="bagel-7b-mot").done_reason, "load")


if __name__ == "__main__":
    unittest.main()
